import { useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearch } from '@tanstack/react-router';
import type { Source } from '../api/client';
import { source } from '../api/sources';
import { SourceChip } from '../parts/Chip';
import { Page } from '../parts/Page';
import { Loading, ProblemBox } from '../parts/states';
import { SOURCE_TABS, type SourceTab } from '../search';
import { useSlug } from '../session';
import { w } from '../words';
import { Promotion } from './sources/Promotion';
import { Rejected } from './sources/Rejected';
import { Requests } from './sources/Requests';
import { SourceStatus } from './sources/SourceStatus';
import { Speaks } from './sources/Speaks';
import { Tokens } from './sources/Tokens';

const words = w.sources;

/** The tabs that a source of this kind and mode has. */
const tabsOf = (one: Source) =>
  SOURCE_TABS.filter(
    (tab) => (tab !== 'promote' || one.mode === 'simulate') && (one.kind === 'scim' || tab === 'status' || tab === 'promote'),
  );

export function SourcePage() {
  const { id } = useParams({ from: '/t/$slug/sources/$id' });
  const { tab = 'status' } = useSearch({ from: '/t/$slug/sources/$id' });
  const slug = useSlug();
  const { data, error, refetch } = useQuery(source(id));
  const crumbs = (
    <Link to="/t/$slug/sources" params={{ slug }}>
      {words.title}
    </Link>
  );
  const title = data ? data.name || words.unnamed(id) : words.title;
  return (
    <Page title={title} focusKey={id} crumbs={crumbs} actions={data && <SourceChip source={data} />}>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && (
        <>
          <nav className="tabs" aria-label={title}>
            {tabsOf(data).map((one) => (
              <Link
                key={one}
                to="/t/$slug/sources/$id"
                params={{ slug, id }}
                search={one === 'status' ? {} : { tab: one }}
                activeOptions={{ exact: true }}
              >
                {words.tabs[one]}
              </Link>
            ))}
          </nav>
          <Tab tab={tab} source={data} />
        </>
      )}
    </Page>
  );
}

function Tab({ tab, source: one }: { tab: SourceTab; source: Source }) {
  switch (tab) {
    case 'status':
      return <SourceStatus source={one} />;
    case 'tokens':
      return <Tokens id={one.id} />;
    case 'speaks':
      return <Speaks id={one.id} />;
    case 'rejected':
      return <Rejected id={one.id} />;
    case 'requests':
      return <Requests id={one.id} />;
    case 'promote':
      return one.mode === 'simulate' ? <Promotion source={one} /> : <p className="note">{words.plan.onlySimulate}</p>;
  }
}
