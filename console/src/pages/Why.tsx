import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { type Explanation, hub, type Schemas, write } from '../api/client';
import { explain } from '../api/queries';
import { Chain } from '../parts/Chain';
import { Field } from '../parts/Field';
import { Page } from '../parts/Page';
import { Empty, Loading, ProblemBox } from '../parts/states';
import { toast } from '../parts/toasts';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { actionText } from './runs/items';

const words = w.members.why;

export function Why() {
  const { q } = useSearch({ from: '/t/$slug/why' });
  const navigate = useNavigate();
  const [typed, setTyped] = useState(q ?? '');
  useEffect(() => setTyped(q ?? ''), [q]);
  return (
    <Page title={words.title} lead={words.lead}>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          void navigate({ to: '.', search: { q: typed.trim() || undefined } });
        }}
      >
        <Field label={words.box} grow>
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
        <button type="submit" className="button primary" disabled={!typed.trim()}>
          {words.ask}
        </button>
      </form>
      {q ? <Answers q={q} /> : <Empty title={words.example}>{<p>{words.exampleText}</p>}</Empty>}
    </Page>
  );
}

function Answers({ q }: { q: string }) {
  const { data, error, refetch } = useQuery(explain(q));
  if (error && !data) return <ProblemBox error={error} retry={refetch} />;
  if (!data) return <Loading />;
  return (
    <div className="stack">
      {data.items.length > 1 && <p className="muted">{words.candidates(data.items.length)}</p>}
      {data.items.map((one, at) => (
        <Answer key={one.member_id ?? one.directory_user_id ?? at} explanation={one} q={q} />
      ))}
    </div>
  );
}

function Answer({ explanation, q }: { explanation: Explanation; q: string }) {
  const slug = useSlug();
  const { member_id, directory_user_id, source_id } = explanation;
  return (
    <article className="card stack">
      <div className="card-head">
        <h2>{explanation.email ?? q}</h2>
        {member_id && (
          <Link to="/t/$slug/members/$id" params={{ slug, id: member_id }}>
            {words.open}
          </Link>
        )}
      </div>
      <Chain explanation={explanation} />
      {source_id && directory_user_id && <OnDemand source={source_id} user={directory_user_id} />}
    </article>
  );
}

/** A trial of the reconcile for one person, and the request to do it. */
function OnDemand({ source, user }: { source: string; user: string }) {
  const { may } = useSession();
  const params = { path: { id: source, user_id: user } };
  const trial = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/sources/{id}/users/{user_id}/reconcile', { params, body: { dry_run: true } })),
  });
  const request = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/sources/{id}/users/{user_id}/reconcile', { params, body: { dry_run: false } })),
    onSuccess: () => toast(words.asked),
  });
  if (!may('runs')) return null;
  const steps = trial.data && 'steps' in trial.data ? trial.data.steps : null;
  return (
    <div className="stack tight no-print">
      <div className="buttons">
        <button type="button" className="button" disabled={trial.isPending} onClick={() => trial.mutate()}>
          {words.dryRun}
        </button>
        <button type="button" className="button" disabled={request.isPending} onClick={() => request.mutate()}>
          {words.again}
        </button>
      </div>
      {(trial.error || request.error) && <ProblemBox error={trial.error ?? request.error} />}
      {steps && (
        <section className="note good stack tight">
          <p className="small muted">{words.dryRunText}</p>
          <ol className="stack tight">
            {steps.map((step) => (
              <li key={step.step}>
                <b>{words.steps[step.step]}:</b> {stepText(step)}
              </li>
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}

function stepText(step: Schemas['Step']): string {
  const items = (all: { [key: string]: unknown }[]) =>
    all.length === 0 ? words.nothing : all.map((one) => actionText(String(one.action))).join(', ');
  switch (step.step) {
    case 'source':
      return [step.mode ? w.sources.mode[step.mode] : '', step.record ? (step.record.active ? w.status.active : w.status.suspended) : '']
        .filter(Boolean)
        .join(', ');
    case 'match':
      return String(step.matched.how ?? step.matched.situation ?? '');
    case 'plan':
      return [items(step.items), ...step.disputed.map((one) => `${w.audit.attention.kind[one.dispute]}. ${one.remedy}`)].join(' ');
    case 'review':
      return step.withheld.length === 0
        ? words.nothing
        : step.withheld.map((one) => `${w.runs.reason[one.held_reason]?.[1] ?? one.held_reason} ${one.remedy}`).join(' ');
    case 'apply':
      return items(step.items);
  }
}
