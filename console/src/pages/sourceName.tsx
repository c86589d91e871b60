import { useQuery } from '@tanstack/react-query';
import { sources } from '../api/sources';
import { w } from '../words';

/** The names of the sources by their ids. */
export function useSourceNames() {
  const { data } = useQuery(sources);
  return (id: string | null | undefined) => {
    if (!id) return w.byHand;
    const source = data?.items.find((one) => one.id === id);
    return source?.name || w.sources.unnamed(id);
  };
}

export function SourceName({ id }: { id: string | null | undefined }) {
  return <>{useSourceNames()(id)}</>;
}
