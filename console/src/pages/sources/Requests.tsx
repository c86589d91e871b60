import { Link } from '@tanstack/react-router';
import type { Schemas } from '../../api/client';
import { requests } from '../../api/sources';
import { Empty, Loading, ProblemBox } from '../../parts/states';
import { Table } from '../../parts/Table';
import { Time } from '../../parts/Time';
import { useList } from '../../parts/useList';
import { useSlug } from '../../session';
import { w } from '../../words';

const words = w.sources.requests;

export function Requests({ id }: { id: string }) {
  const slug = useSlug();
  const list = useList<Schemas['LoggedRequest']>(requests(id));
  if (list.isError && !list.data) return <ProblemBox error={list.error} retry={list.refetch} />;
  if (list.isPending) return <Loading />;
  if (list.rows.length === 0) return <Empty title={words.none} />;
  return (
    <Table
      label={w.sources.tabs.requests}
      rows={list.rows}
      more={list}
      columns={[
        { head: words.head.at, width: '130px', cell: (row) => <Time at={row.at} /> },
        {
          head: words.head.request,
          cell: (row) => (
            <code title={row.path}>
              {row.method} {row.path}
            </code>
          ),
        },
        {
          head: words.head.answer,
          width: '150px',
          wideOnly: true,
          cell: (row) => (
            <span className={row.answer.status >= 400 ? 'lose' : undefined}>
              {row.answer.status} {row.answer.scim_type}
            </span>
          ),
        },
        {
          head: words.head.id,
          width: '150px',
          wideOnly: true,
          cell: (row) =>
            row.request_id && (
              <Link to="/t/$slug/audit" params={{ slug }} search={{ request: row.request_id }}>
                {row.request_id.slice(0, 8)}…{row.request_id.slice(-4)}
              </Link>
            ),
        },
      ]}
    />
  );
}
