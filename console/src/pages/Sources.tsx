import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Source } from '../api/client';
import { sources } from '../api/sources';
import { Chip, SourceChip } from '../parts/Chip';
import { Page } from '../parts/Page';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { Time } from '../parts/Time';
import { useSession, useSlug } from '../session';
import { w } from '../words';

const words = w.sources;

export function Sources() {
  const slug = useSlug();
  const { may } = useSession();
  const { data, error, refetch } = useQuery(sources);
  const add = may('sources', 'owner') && (
    <Link className="button primary" to="/t/$slug/sources/new" params={{ slug }}>
      {words.add}
    </Link>
  );
  return (
    <Page title={words.title} lead={words.lead} actions={add}>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data?.items.length === 0 && (
        <Empty title={words.none}>
          <p>{words.noneText}</p>
          {add || <p>{words.setup.ownerOnly}</p>}
        </Empty>
      )}
      <div className="cards">
        {data?.items.map((source) => (
          <Card key={source.id} source={source} />
        ))}
      </div>
    </Page>
  );
}

function Card({ source }: { source: Source }) {
  const slug = useSlug();
  return (
    <article className="card stack tight">
      <div className="card-head">
        <h2>
          <Link to="/t/$slug/sources/$id" params={{ slug, id: source.id }}>
            {source.name || words.unnamed(source.id)}
          </Link>
        </h2>
        <SourceChip source={source} />
      </div>
      <p>{words.modeText[source.mode]}</p>
      <p className="small muted">
        <Chip look="plain">{words.kind[source.kind]}</Chip> {words.lastHeard}:{' '}
        {source.last_used_at ? <Time at={source.last_used_at} /> : words.never}
      </p>
      {!source.last_used_at && source.kind === 'scim' && (
        <p>
          <Link to="/t/$slug/sources/$id/set-up" params={{ slug, id: source.id }}>
            {words.goOn}
          </Link>
        </p>
      )}
    </article>
  );
}
