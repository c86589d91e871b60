import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { hub, type Schemas, write } from '../api/client';
import { skipped } from '../api/queries';
import { Chip } from '../parts/Chip';
import { Dialog } from '../parts/Dialog';
import { Field } from '../parts/Field';
import { Page } from '../parts/Page';
import { Stale } from '../parts/Stale';
import { Empty, Loading, ProblemBox, sentence } from '../parts/states';
import { Time } from '../parts/Time';
import { toast } from '../parts/toasts';
import { useList } from '../parts/useList';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { SourceName } from './sourceName';

type Skipped = Schemas['SkippedRecord'];
const words = w.audit.attention;

export function Attention() {
  const { ignored = false } = useSearch({ from: '/t/$slug/attention' });
  const slug = useSlug();
  const list = useList<Skipped>(skipped(ignored));
  const kinds = [...new Set(list.rows.map((row) => row.dispute))];
  return (
    <Page title={words.title} lead={words.lead}>
      <nav className="tabs" aria-label={words.title}>
        {[false, true].map((one) => (
          <Link
            key={String(one)}
            to="/t/$slug/attention"
            params={{ slug }}
            search={one ? { ignored: one } : {}}
            activeOptions={{ exact: true }}
          >
            {one ? words.tabs.ignored : words.tabs.open}
          </Link>
        ))}
      </nav>
      <Stale list={list} />
      {list.isError && !list.data && <ProblemBox error={list.error} retry={list.refetch} />}
      {list.isPending && <Loading />}
      {list.isSuccess && list.rows.length === 0 && (
        <Empty title={ignored ? words.noneIgnored : words.none}>{!ignored && <p>{words.noneText}</p>}</Empty>
      )}
      <div className="stack">
        {kinds.map((kind) => (
          <Kind key={kind} kind={kind} rows={list.rows.filter((row) => row.dispute === kind)} />
        ))}
      </div>
      {list.hasNextPage && (
        <button type="button" className="button" onClick={() => list.fetchNextPage()}>
          {w.next}
        </button>
      )}
    </Page>
  );
}

const retry = (id: string) => write(() => hub.POST('/api/v1/skipped-records/{id}/retry', { params: { path: { id } } }));

function Kind({ kind, rows }: { kind: Skipped['dispute']; rows: Skipped[] }) {
  const client = useQueryClient();
  const { may } = useSession();
  const all = useMutation({
    mutationFn: async () => {
      for (const row of rows) await retry(row.subject.id);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['skipped-records'] }),
    onSuccess: () => toast(words.retried),
  });
  return (
    <section>
      <div className="card-head">
        <h2>
          {words.kind[kind]} <span className="muted small">{rows.length}</span>
        </h2>
        {may('runs') && rows.length > 1 && (
          <button type="button" className="button small" disabled={all.isPending} onClick={() => all.mutate()}>
            {words.retryAll(rows.length)}
          </button>
        )}
      </div>
      {all.error && <ProblemBox error={all.error} />}
      <ul className="list">
        {rows.map((row) => (
          <Record key={row.subject.id} row={row} />
        ))}
      </ul>
    </section>
  );
}

function Record({ row }: { row: Skipped }) {
  const slug = useSlug();
  const client = useQueryClient();
  const { may } = useSession();
  const [asking, setAsking] = useState(false);
  const again = useMutation({
    mutationFn: () => retry(row.subject.id),
    onSuccess: () => {
      toast(words.retried);
      void client.invalidateQueries({ queryKey: ['skipped-records'] });
    },
  });
  const isGroup = row.subject.kind === 'directory_group';
  const clash = row.dispute === 'group_name_taken' && row.about && row.about !== row.name;
  return (
    <li className="stack tight">
      <div className="card-head" style={{ margin: 0 }}>
        <b>{row.name ?? row.subject.id}</b>
        {row.ignored_at && <Chip look="removed">{words.tabs.ignored}</Chip>}
      </div>
      <p>
        {clash ? `${words.spelling(row.name ?? '', row.about)}. ` : row.about && `${row.about}. `}
        {sentence(row.remedy)}
      </p>
      <p className="small muted">
        <SourceName id={row.source_id} />, {words.since} <Time at={row.since} />, {words.tries(row.tries)}
        {row.note && `. ${row.note}`}
      </p>
      {again.error && <ProblemBox error={again.error} />}
      <div className="buttons">
        {may('runs') && (
          <>
            <button type="button" className="button small" disabled={again.isPending} onClick={() => again.mutate()}>
              {words.retry}
            </button>
            {!row.ignored_at && (
              <button type="button" className="button small" onClick={() => setAsking(true)}>
                {words.ignore}
              </button>
            )}
          </>
        )}
        {!isGroup && row.name && (
          <Link className="button small" to="/t/$slug/why" params={{ slug }} search={{ q: row.about.includes('@') ? row.about : row.name }}>
            {words.why}
          </Link>
        )}
        {row.holder_id && (
          <Link className="button small" to="/t/$slug/members/$id" params={{ slug, id: row.holder_id }}>
            {w.members.why.open}
          </Link>
        )}
      </div>
      {asking && <Ignore row={row} onClose={() => setAsking(false)} />}
    </li>
  );
}

function Ignore({ row, onClose }: { row: Skipped; onClose: () => void }) {
  const client = useQueryClient();
  const [note, setNote] = useState('');
  const ignore = useMutation({
    mutationFn: () => {
      const body = note.trim() ? { note: note.trim() } : {};
      return write(() => hub.POST('/api/v1/skipped-records/{id}/ignore', { params: { path: { id: row.subject.id } }, body }));
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['skipped-records'] });
      void client.invalidateQueries({ queryKey: ['overview'] });
      onClose();
    },
  });
  return (
    <Dialog title={`${words.ignore}: ${row.name ?? ''}`} holdsInput onClose={onClose}>
      <p>{words.ignoreText}</p>
      <Field label={words.note}>
        {(ids) => <textarea {...ids} rows={2} maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />}
      </Field>
      {ignore.error && <ProblemBox error={ignore.error} />}
      <div className="buttons">
        <button type="button" className="button primary" disabled={ignore.isPending} onClick={() => ignore.mutate()}>
          {ignore.isPending ? w.saving : words.ignore}
        </button>
        <button type="button" className="button" onClick={onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}
