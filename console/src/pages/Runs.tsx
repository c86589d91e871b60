import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import type { Run } from '../api/client';
import { runs } from '../api/queries';
import { RunChip } from '../parts/Chip';
import { Select } from '../parts/Field';
import { Page } from '../parts/Page';
import { Stale } from '../parts/Stale';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { Table } from '../parts/Table';
import { Time } from '../parts/Time';
import { useList } from '../parts/useList';
import { RUN_STATES } from '../search';
import { useSlug } from '../session';
import { w } from '../words';
import { Totals } from './runs/Totals';
import { useSourceNames } from './sourceName';

const words = w.runs;

export function Runs() {
  const { state } = useSearch({ from: '/t/$slug/runs' });
  const navigate = useNavigate();
  const slug = useSlug();
  const nameOf = useSourceNames();
  const list = useList<Run>(runs(state));
  return (
    <Page title={words.title} lead={words.lead}>
      <search className="filters">
        <Select
          label={words.state}
          any={w.any}
          value={state ?? ''}
          options={RUN_STATES.map((one) => [one, w.runState[one]] as const)}
          onChange={(to) => navigate({ to: '.', search: { state: to } })}
        />
      </search>
      <Stale list={list} />
      {list.isError && !list.data && <ProblemBox error={list.error} retry={list.refetch} />}
      {list.isPending && <Loading />}
      {list.isSuccess && list.rows.length === 0 && (
        <Empty title={state ? words.noMatch : words.none}>{!state && <p>{words.noneText}</p>}</Empty>
      )}
      {list.rows.length > 0 && (
        <Table
          label={words.title}
          rows={list.rows}
          more={list}
          columns={[
            {
              head: words.head.at,
              width: '112px',
              cell: (row) => (
                <Link to="/t/$slug/runs/$id" params={{ slug, id: row.id }}>
                  <Time at={row.created_at} />
                </Link>
              ),
            },
            { head: words.head.effect, cell: (row) => <Totals counts={row.counts} /> },
            { head: words.head.state, width: '132px', cell: (row) => <RunChip state={row.state} /> },
            { head: words.head.source, width: '150px', wideOnly: true, cell: (row) => (row.source_id ? nameOf(row.source_id) : '–') },
            {
              head: words.head.reasons,
              wideOnly: true,
              cell: (row) => row.held_reasons.map((reason) => words.reason[reason]?.[0] ?? reason).join(', '),
            },
          ]}
        />
      )}
    </Page>
  );
}
