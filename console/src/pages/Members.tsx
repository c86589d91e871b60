import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import type { Member } from '../api/client';
import { type MemberFilter, members } from '../api/queries';
import { MemberChip } from '../parts/Chip';
import { Page } from '../parts/Page';
import { Stale } from '../parts/Stale';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { type Column, Table } from '../parts/Table';
import { Time } from '../parts/Time';
import { useList } from '../parts/useList';
import type { MembersSearch } from '../search';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { Invite } from './members/Invite';
import { MemberBulk } from './members/MemberBulk';
import { MemberFilters, MemberTabs } from './members/MemberFilters';
import { useSourceNames } from './sourceName';

export const filterOf = (search: MembersSearch): MemberFilter => ({
  q: search.q,
  status: search.status,
  role: search.role,
  managed_by: search.source,
  waiting_for: search.waiting,
  blocked: search.blocked,
});

export function Members() {
  const search = useSearch({ from: '/t/$slug/members' });
  const navigate = useNavigate();
  const { may } = useSession();
  const [picked, setPicked] = useState<Map<string, Member>>(new Map());
  const [inviting, setInviting] = useState(false);
  const list = useList<Member>(members(filterOf(search)));
  const columns = useColumns();
  const filtered = Object.values(search).some((value) => value !== undefined);
  const change = (to: MembersSearch) => {
    setPicked(new Map());
    void navigate({ to: '.', search: to, replace: true });
  };
  function pick(rows: Member[], on: boolean) {
    const next = new Map(picked);
    for (const row of rows) on ? next.set(row.id, row) : next.delete(row.id);
    setPicked(next);
  }
  return (
    <Page title={w.members.title} actions={<Actions search={search} onInvite={() => setInviting(true)} />}>
      <MemberTabs search={search} />
      <MemberFilters search={search} onChange={change} shown={list.isSuccess ? w.members.shown(list.rows.length, list.hasNextPage) : ''} />
      <Stale list={list} />
      {list.isError && !list.data && <ProblemBox error={list.error} retry={list.refetch} />}
      {list.isPending && <Loading />}
      {list.isSuccess && list.rows.length === 0 && <NoMembers filtered={filtered} q={search.q} clear={() => change({})} />}
      {list.rows.length > 0 && (
        <Table
          label={w.members.title}
          rows={list.rows}
          columns={columns}
          more={list}
          nameOf={(row) => row.email}
          {...(may('members') ? { pick: { picked: new Set(picked.keys()), onPick: pick } } : {})}
        />
      )}
      {picked.size > 0 && <MemberBulk picked={[...picked.values()]} onClear={() => setPicked(new Map())} />}
      {inviting && <Invite onClose={() => setInviting(false)} />}
    </Page>
  );
}

function useColumns(): Column<Member>[] {
  const slug = useSlug();
  const nameOf = useSourceNames();
  return [
    {
      head: w.members.head.email,
      cell: (row) => (
        <Link to="/t/$slug/members/$id" params={{ slug, id: row.id }} title={row.email}>
          {row.email}
        </Link>
      ),
    },
    { head: w.members.head.name, wideOnly: true, cell: (row) => <span title={row.display_name ?? ''}>{row.display_name}</span> },
    { head: w.members.head.status, width: '148px', cell: (row) => <MemberChip member={row} /> },
    { head: w.members.head.role, width: '96px', wideOnly: true, cell: (row) => w.role[row.role] },
    { head: w.members.head.managed, width: '140px', wideOnly: true, cell: (row) => nameOf(row.managed_by) },
    { head: w.members.head.since, width: '130px', wideOnly: true, cell: (row) => <Time at={row.created_at} /> },
  ];
}

function Actions({ search, onInvite }: { search: MembersSearch; onInvite: () => void }) {
  const { may, permissions, atLeast } = useSession();
  const filter = Object.entries(filterOf(search)).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return (
    <>
      {permissions.includes('export') && atLeast('auditor') && (
        <a
          className="button"
          href={`/api/v1/exports/members?${new URLSearchParams([...filter, ['format', 'csv']])}`}
          download="members.csv"
        >
          {w.members.exportCsv}
        </a>
      )}
      {may('members') && (
        <button type="button" className="button primary" onClick={onInvite}>
          {w.members.invite.button}
        </button>
      )}
    </>
  );
}

function NoMembers({ filtered, q, clear }: { filtered: boolean; q: string | undefined; clear: () => void }) {
  const slug = useSlug();
  if (!filtered) {
    return (
      <Empty title={w.members.none}>
        <p>{w.members.noneText}</p>
        <Link className="button primary" to="/t/$slug/sources/new" params={{ slug }}>
          {w.sources.add}
        </Link>
      </Empty>
    );
  }
  return (
    <Empty title={w.members.noMatch}>
      <p>{w.members.noMatchText}</p>
      <div className="buttons">
        <button type="button" className="button" onClick={clear}>
          {w.clearFilters}
        </button>
        <Link className="button" to="/t/$slug/why" params={{ slug }} search={q ? { q } : {}}>
          {w.members.askWhy}
        </Link>
      </div>
    </Empty>
  );
}
