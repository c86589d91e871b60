import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError, hub, type Run, write } from '../../api/client';
import { run as runQuery } from '../../api/queries';
import { Field } from '../../parts/Field';
import { ProblemBox } from '../../parts/states';
import { isTyped } from '../../parts/typed';
import { useSession, useSlug } from '../../session';
import { w } from '../../words';
import { openOf } from './items';

const words = w.runs;

/** The decisions about the run that are possible in its state. */
export function Decision({ run, stale }: { run: Run; stale: boolean }) {
  const slug = useSlug();
  const { may } = useSession();
  switch (run.state) {
    case 'held':
      return <Approve run={run} stale={stale} />;
    case 'planned':
      if (run.rewinds) return <Approve run={run} stale={stale} />;
      return (
        <Box>
          <p>{words.simulation}</p>
          {run.source_id && (
            <Link className="button" to="/t/$slug/sources/$id" params={{ slug, id: run.source_id }} search={{ tab: 'promote' }}>
              {words.openSource}
            </Link>
          )}
        </Box>
      );
    case 'approved':
      return <Box>{<p className="waiting">{words.approved}</p>}</Box>;
    case 'planning':
      return <Box>{<p className="waiting">{words.planning}</p>}</Box>;
    case 'applied':
    case 'partly_rewound':
      return (
        <Box>
          <p>{words.isApplied}</p>
          {may('runs') && <TakeBack run={run} />}
        </Box>
      );
    case 'rejected':
      return <Box>{<p>{words.isRejected}</p>}</Box>;
    case 'withdrawn':
      return <Box>{<p>{words.isWithdrawn}</p>}</Box>;
    default:
      return null;
  }
}

function Box({ children }: { children: React.ReactNode }) {
  return (
    <section className="card decision no-print" aria-label={words.decision}>
      <h2 className="wide-only">{words.decision}</h2>
      {children}
    </section>
  );
}

function Approve({ run, stale }: { run: Run; stale: boolean }) {
  const client = useQueryClient();
  const session = useSession();
  const [typed, setTyped] = useState('');
  const [note, setNote] = useState('');
  const open = openOf(run);
  const wanted = words.approveN(open);
  const body = { digest: run.digest, ...(note.trim() && { note: note.trim() }) };
  const params = { path: { id: run.id } };
  const done = (now: Run) => client.setQueryData(runQuery(run.id).queryKey, now);
  const failed = (error: Error) => {
    // The page then shows the difference of the two plans.
    if (error instanceof ApiError && error.code === 'plan_stale') void client.invalidateQueries({ queryKey: runQuery(run.id).queryKey });
  };
  const approve = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/runs/{id}/approve', { params, body })),
    onSuccess: done,
    onError: failed,
  });
  const reject = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/runs/{id}/reject', { params, body })),
    onSuccess: done,
    onError: failed,
  });
  const ownersOnly = run.held_reasons.includes('privileged_member') && session.role !== 'owner';
  const busy = approve.isPending || reject.isPending;
  if (!session.may('runs')) return <Box>{<p className="muted">{w.notAllowed(w.role.admin)}</p>}</Box>;
  const error = approve.error ?? reject.error;
  return (
    <Box>
      <p className="wide-only">{run.rewinds ? words.rewindText(open) : words.approveText(open)}</p>
      {ownersOnly && <p className="note">{words.ownerOnly}</p>}
      <form
        className="stack tight"
        onSubmit={(event) => {
          event.preventDefault();
          if (isTyped(typed, wanted) && !stale && !ownersOnly) approve.mutate();
        }}
      >
        <Field label={words.typeTo(wanted)}>
          {(ids) => (
            <input
              {...ids}
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
              autoComplete="off"
              autoCapitalize="off"
              disabled={stale || ownersOnly}
            />
          )}
        </Field>
        <Field label={words.note}>
          {(ids) => <input {...ids} value={note} onChange={(event) => setNote(event.target.value)} maxLength={500} disabled={ownersOnly} />}
        </Field>
        <div className="buttons">
          <button type="submit" className="button danger" disabled={!isTyped(typed, wanted) || stale || ownersOnly || busy}>
            {approve.isPending ? w.saving : words.approveButton(open)}
          </button>
          <button type="button" className="button" disabled={stale || ownersOnly || busy} onClick={() => reject.mutate()}>
            {reject.isPending ? w.saving : words.reject}
          </button>
        </div>
      </form>
      {error && <ProblemBox error={error} />}
      <p className="small muted wide-only">{words.rejectText}</p>
    </Box>
  );
}

function TakeBack({ run }: { run: Run }) {
  const slug = useSlug();
  const navigate = useNavigate();
  const rewind = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/runs/{id}/rewind', { params: { path: { id: run.id } } })),
    onSuccess: (made) => navigate({ to: '/t/$slug/runs/$id', params: { slug, id: made.id } }),
  });
  return (
    <>
      <p className="small muted wide-only">{words.takeBackText}</p>
      {rewind.error && <ProblemBox error={rewind.error} />}
      <div>
        <button type="button" className="button" disabled={rewind.isPending} onClick={() => rewind.mutate()}>
          {rewind.isPending ? w.saving : words.takeBack}
        </button>
      </div>
    </>
  );
}
