import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError, hub, type Run, type Schemas, write } from '../../api/client';
import { overview, policy, runs } from '../../api/queries';
import { Dialog } from '../../parts/Dialog';
import { Loading, ProblemBox, sentence } from '../../parts/states';
import { toast } from '../../parts/toasts';
import { useList } from '../../parts/useList';
import { useSlug } from '../../session';
import { w } from '../../words';
import { openOf } from '../runs/items';
import { changedKeys, changesOf, type Draft, ITEMS } from './items';
import { sayValue } from './Switch';

type Versioned = Schemas['VersionedPolicy'];
const words = w.policy;
type Props = {
  base: Versioned;
  current: Versioned;
  draft: Draft;
  onRebase: () => void;
  onTake: () => void;
  onSaved: () => void;
  onClose: () => void;
};

/** The change and what it does, before it is sent. */
export function PolicyReview({ base, current, draft, ...on }: Props) {
  const client = useQueryClient();
  const keys = changedKeys(base.policy, draft);
  const turnsOnLeaving = draft.auto_deprovision === true && !base.policy.auto_deprovision;
  const [looked, setLooked] = useState(false);
  const save = useMutation({
    mutationFn: () => write(() => hub.PATCH('/api/v1/policy', { body: { policy: changesOf(base.policy, draft), version: base.version } })),
    onSuccess: (now) => {
      client.setQueryData(policy.queryKey, now);
      for (const warning of now.warnings ?? []) toast(sentence(warning));
      toast(words.saved);
      on.onSaved();
    },
    onError: () => client.invalidateQueries({ queryKey: policy.queryKey }),
  });
  const conflict = current.version !== base.version;
  const refused = save.error && !(conflict && save.error instanceof ApiError && save.error.status === 409);
  return (
    <Dialog title={words.changes} holdsInput onClose={on.onClose}>
      {conflict ? (
        <Conflict base={base} current={current} draft={draft} onRebase={on.onRebase} onTake={on.onTake} />
      ) : (
        <>
          <ul className="list">
            {keys.map((key) => (
              <li key={key}>
                <b>{words.item[key]?.[0] ?? key}</b>
                <br />
                <del>{sayValue(base.policy[key])}</del> → <ins>{sayValue(draft[key])}</ins>
                <Effect name={key} turnsOnLeaving={turnsOnLeaving} />
              </li>
            ))}
          </ul>
          {turnsOnLeaving && (
            <label className="check">
              <input type="checkbox" checked={looked} onChange={(event) => setLooked(event.target.checked)} />
              {words.seeList}
            </label>
          )}
          {refused && <ProblemBox error={save.error} />}
        </>
      )}
      <div className="buttons">
        {!conflict && (
          <button
            type="button"
            className="button primary"
            disabled={save.isPending || keys.length === 0 || (turnsOnLeaving && !looked)}
            onClick={() => save.mutate()}
          >
            {save.isPending ? w.saving : words.save}
          </button>
        )}
        <button type="button" className="button" onClick={on.onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}

/** The effect of a changed key now. Numbers are those of plans that the hub has made. */
function Effect({ name, turnsOnLeaving }: { name: string; turnsOnLeaving: boolean }) {
  const { data } = useQuery(overview);
  if (name === 'auto_deprovision' && turnsOnLeaving) return <Waiting reason="deprovisioning_off" />;
  if (name === 'approval' && data) return <p className="small muted">{words.approvers(data.attention.approvals)}</p>;
  const item = ITEMS.find(({ key }) => key === name);
  return <p className="small muted">{item?.replans ? words.replans : words.forFuture}</p>;
}

function Waiting({ reason }: { reason: Schemas['HeldReason'] }) {
  const slug = useSlug();
  const held = useList<Run>(runs('held'));
  if (held.isPending) return <Loading />;
  const waiting = held.rows.filter((run) => run.held_reasons.includes(reason));
  if (waiting.length === 0) return <p className="small muted">{words.noLeavers}</p>;
  return (
    <div className="small">
      <p>{words.leavers(waiting.reduce((sum, run) => sum + openOf(run), 0))}</p>
      <ul>
        {waiting.map((run) => (
          <li key={run.id}>
            <Link to="/t/$slug/runs/$id" params={{ slug, id: run.id }} target="_blank">
              {w.overview.heldTitle(openOf(run))}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Two admins at once: both sets of changes, and the choice. */
function Conflict({ base, current, draft, onRebase, onTake }: Pick<Props, 'base' | 'current' | 'draft' | 'onRebase' | 'onTake'>) {
  const mine = changedKeys(base.policy, draft);
  const theirs = changedKeys(base.policy, current.policy);
  const keys = [...new Set([...mine, ...theirs])];
  return (
    <section className="note problem stack tight" role="alert">
      <h3>{words.conflict}</h3>
      <p>{words.conflictText}</p>
      <ul className="list">
        {keys.map((key) => (
          <li key={key}>
            <b>{words.item[key]?.[0] ?? key}</b>
            <br />
            {words.theirs}: <ins>{sayValue(current.policy[key])}</ins>
            <br />
            {words.yours}: <ins>{sayValue(mine.includes(key) ? draft[key] : base.policy[key])}</ins>
          </li>
        ))}
      </ul>
      <div className="buttons">
        <button type="button" className="button small" onClick={onRebase}>
          {words.keep}
        </button>
        <button type="button" className="button small" onClick={onTake}>
          {words.take}
        </button>
      </div>
    </section>
  );
}
