import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { sources } from '../../api/sources';
import { Field, Select } from '../../parts/Field';
import { type MembersSearch, ROLES, STATUSES } from '../../search';
import { useSlug } from '../../session';
import { w } from '../../words';

const TABS: [string, MembersSearch][] = [
  [w.members.tabs.all, {}],
  [w.members.tabs.waiting, { waiting: 'seat' }],
  [w.members.tabs.pending, { waiting: 'approval' }],
  [w.members.tabs.invited, { status: 'invited' }],
  [w.members.tabs.blocked, { blocked: true }],
  [w.members.tabs.removed, { status: 'removed' }],
];

export function MemberTabs({ search }: { search: MembersSearch }) {
  const slug = useSlug();
  return (
    <nav className="tabs" aria-label={w.members.title}>
      {TABS.map(([name, to]) => (
        <Link
          key={name}
          to="/t/$slug/members"
          params={{ slug }}
          search={{ ...to, q: search.q, role: search.role, source: search.source }}
          activeOptions={{ exact: true }}
        >
          {name}
        </Link>
      ))}
    </nav>
  );
}

/** The typed text is in the address a quarter of a second later, so that each view is a link. */
export function MemberFilters(props: { search: MembersSearch; onChange: (to: MembersSearch) => void; shown: string }) {
  const { search, onChange } = props;
  const { data } = useQuery(sources);
  const [typed, setTyped] = useState(search.q ?? '');
  useEffect(() => setTyped(search.q ?? ''), [search.q]);
  useEffect(() => {
    const q = typed.trim() || undefined;
    if (q === search.q) return;
    const timer = window.setTimeout(() => onChange({ ...search, q }), 200);
    return () => window.clearTimeout(timer);
  }, [typed, search, onChange]);
  const from = (data?.items ?? []).map((one) => [one.id, one.name || w.sources.unnamed(one.id)] as const);
  return (
    <search className="filters">
      <Field label={w.members.filter} grow>
        {(ids) => (
          <input
            {...ids}
            type="search"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            autoComplete="off"
            spellCheck={false}
          />
        )}
      </Field>
      <Select
        label={w.members.status}
        any={w.any}
        value={search.status ?? ''}
        options={STATUSES.map((one) => [one, w.status[one]] as const)}
        onChange={(status) => onChange({ ...search, status })}
      />
      <Select
        label={w.members.role}
        any={w.any}
        value={search.role ?? ''}
        options={ROLES.map((one) => [one, w.role[one]] as const)}
        onChange={(role) => onChange({ ...search, role })}
      />
      <Select
        label={w.members.source}
        any={w.any}
        value={search.source ?? ''}
        options={[...from, ['none', w.byHand] as const]}
        onChange={(source) => onChange({ ...search, source })}
      />
      <p className="small muted" role="status">
        {props.shown}
      </p>
    </search>
  );
}
