import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { Schemas } from '../api/client';
import { audit } from '../api/queries';
import { Field } from '../parts/Field';
import { Page } from '../parts/Page';
import { Stale } from '../parts/Stale';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { useList } from '../parts/useList';
import type { AuditSearch } from '../search';
import { useSlug } from '../session';
import { w } from '../words';
import { EventLine, kindText } from './audit/EventLine';
import { KINDS } from './audit/kinds';

const words = w.audit;
type Event = Schemas['AuditEvent'];

export function Audit() {
  const search = useSearch({ from: '/t/$slug/audit' });
  const kind = KINDS.find((one) => one === search.kind);
  const at = (day: string | undefined) => (day ? new Date(`${day}T00:00:00`).toISOString() : undefined);
  const times = { kind, since: at(search.since), until: at(search.until) };
  // An id that is pasted names a request, or else the thing that the events are about.
  const wanted = search.request;
  const caused = useList<Event>(audit({ ...times, subject_id: search.subject, request_id: wanted }));
  const about = useList<Event>(audit({ ...times, subject_id: search.subject ?? wanted }));
  const list = wanted && caused.isSuccess && caused.rows.length === 0 ? about : caused;
  const { rows, hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  return (
    <Page title={words.title} lead={words.lead}>
      <Filters search={search} />
      <Stale list={list} text={words.news} deed={words.show} />
      {list.isError && <ProblemBox error={list.error} retry={list.refetch} />}
      {list.isPending && <Loading />}
      {list.isSuccess && rows.length === 0 && <Nothing filtered={Object.values(search).some(Boolean)} />}
      {rows.length > 0 && (
        <ul className="list">
          {rows.map((event) => (
            <EventLine key={event.id} event={event} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <p style={{ marginTop: 12 }}>
          <button type="button" className="button" disabled={isFetchingNextPage} onClick={() => fetchNextPage()}>
            {isFetchingNextPage ? w.loadingMore : w.next}
          </button>
        </p>
      )}
    </Page>
  );
}

function Nothing({ filtered }: { filtered: boolean }) {
  const slug = useSlug();
  return (
    <Empty title={filtered ? words.noMatch : words.none}>
      {filtered && (
        <Link className="button" to="/t/$slug/audit" params={{ slug }} search={{}}>
          {w.clearFilters}
        </Link>
      )}
    </Empty>
  );
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function Filters({ search }: { search: AuditSearch }) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState(search.subject ?? search.request ?? '');
  useEffect(() => setTyped(search.subject ?? search.request ?? ''), [search.subject, search.request]);
  const change = (to: AuditSearch) => navigate({ to: '.', search: to, replace: true });
  return (
    <search className="filters">
      <form
        className="field grow"
        onSubmit={(event) => {
          event.preventDefault();
          const id = typed.trim();
          change({ ...search, subject: undefined, request: ID.test(id) ? id : undefined });
        }}
      >
        <Field label={words.find}>
          {(ids) => (
            <input
              {...ids}
              type="search"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
              spellCheck={false}
              autoComplete="off"
            />
          )}
        </Field>
      </form>
      <Field label={words.kind}>
        {(ids) => (
          <select {...ids} value={search.kind ?? ''} onChange={(event) => change({ ...search, kind: event.target.value || undefined })}>
            <option value="">{w.any}</option>
            {KINDS.map((one) => (
              <option key={one} value={one}>
                {kindText(one)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {(['since', 'until'] as const).map((key) => (
        <Field key={key} label={words[key]}>
          {(ids) => (
            <input
              {...ids}
              type="date"
              value={search[key] ?? ''}
              onChange={(event) => change({ ...search, [key]: event.target.value || undefined })}
            />
          )}
        </Field>
      ))}
    </search>
  );
}
