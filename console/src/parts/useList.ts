import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { freshen, useIsStale } from '../api/changes';

type Paged<T> = { items: T[]; next_cursor?: string | null };

/** A list in pages: its rows so far, how to get more, and whether it changed since. */
// biome-ignore lint/suspicious/noExplicitAny: the options of a query carry types that only the query itself needs
export function useList<T>(options: any) {
  const query = useInfiniteQuery<Paged<T>, Error, InfiniteData<Paged<T>>, readonly unknown[], string | undefined>(options);
  const client = useQueryClient();
  const key = options.queryKey as readonly unknown[];
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return { ...query, rows, isStaleList: useIsStale(key), freshen: () => freshen(client, key) };
}
