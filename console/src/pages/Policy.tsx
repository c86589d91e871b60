import { useQuery } from '@tanstack/react-query';
import { Link, useBlocker } from '@tanstack/react-router';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { policy } from '../api/queries';
import { Page } from '../parts/Page';
import { Loading, ProblemBox } from '../parts/states';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { changedKeys, type Draft, GROUPS, ITEMS } from './policy/items';
import { PolicyReview } from './policy/PolicyReview';
import { Switch } from './policy/Switch';
import { useSourceNames } from './sourceName';

const words = w.policy;

export function PolicyPage() {
  const slug = useSlug();
  const { data, error, refetch } = useQuery(policy);
  const history = (
    <Link className="button" to="/t/$slug/audit" params={{ slug }} search={{ kind: 'policy.changed' }}>
      {words.history}
    </Link>
  );
  return (
    <Page title={words.title} lead={data ? `${words.lead} ${words.version} ${data.version}.` : words.lead} actions={history}>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && <Form current={data} />}
    </Page>
  );
}

/** The switches as a draft beside the policy in force. Nothing is sent before its plan was shown. */
function Form({ current }: { current: Schemas['VersionedPolicy'] }) {
  const { may } = useSession();
  const [draft, setDraft] = useState<Draft>({});
  // The version that the draft was made on: another one in force is a conflict, which the review shows.
  const [base, setBase] = useState(current);
  const [reviewing, setReviewing] = useState(false);
  const changed = changedKeys(base.policy, draft);
  const shown = changed.length === 0 ? current : base;
  useBlocker({ shouldBlockFn: () => changed.length > 0 && !confirm(`${words.discard}?`), enableBeforeUnload: () => changed.length > 0 });
  function set(key: string, value: unknown) {
    if (changed.length === 0) setBase(current);
    setDraft({ ...draft, [key]: value });
  }
  const allowed = may('policy');
  return (
    <div className="stack">
      {!allowed && <p className="note">{w.notAllowed(w.role.admin)}</p>}
      {GROUPS.map((group) => (
        <section key={group} className="card">
          <h2>{words.groups[group]}</h2>
          {ITEMS.filter((item) => item.group === group).map((item) => (
            <Switch
              key={item.key}
              item={item}
              value={item.key in draft ? draft[item.key] : shown.policy[item.key]}
              disabled={!allowed}
              onChange={(value) => set(item.key, value)}
            />
          ))}
        </section>
      ))}
      <Differences policy={shown.policy} />
      <p className="small muted">{words.elsewhere}</p>
      {changed.length > 0 && (
        <section className="picked-bar" aria-label={words.changes}>
          <b>
            {words.changes}: {changed.length}
          </b>
          <button type="button" className="button primary" onClick={() => setReviewing(true)}>
            {words.review}
          </button>
          <button type="button" className="link" onClick={() => setDraft({})}>
            {words.discard}
          </button>
        </section>
      )}
      {reviewing && (
        <PolicyReview
          base={base}
          current={current}
          draft={draft}
          onRebase={() => setBase(current)}
          onTake={() => {
            setDraft({});
            setReviewing(false);
          }}
          onSaved={() => {
            setDraft({});
            setReviewing(false);
          }}
          onClose={() => setReviewing(false)}
        />
      )}
    </div>
  );
}

/** The values that single sources have of their own. */
function Differences({ policy: all }: { policy: Schemas['Policy'] }) {
  const nameOf = useSourceNames();
  const own = Object.entries(all.sources);
  return (
    <section className="card stack tight">
      <h2>{words.perSource}</h2>
      {own.length === 0 && <p className="muted">{words.perSourceNone}</p>}
      {own.map(([id, values]) => (
        <div key={id}>
          <b>{nameOf(id)}</b>
          <pre>{JSON.stringify(values, null, 2)}</pre>
        </div>
      ))}
    </section>
  );
}
