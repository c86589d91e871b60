import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { hub, type Member, write } from '../../api/client';
import { Dialog } from '../../parts/Dialog';
import { ProblemBox, sentence } from '../../parts/states';
import { useSlug } from '../../session';
import { w } from '../../words';

const DEEDS = ['approve', 'decline', 'block', 'unblock', 'invite-again'] as const;
type Deed = (typeof DEEDS)[number];
type Result = { member_id: string; result: string; reason?: string | null; detail?: string | null };
/** The API decides at most so many people at once. */
const MANY = 1000;

/** The deeds that fit at least one of the picked people. */
function fitting(picked: Member[]): Deed[] {
  return DEEDS.filter((deed) => picked.some((member) => fits(deed, member)));
}
function fits(deed: Deed, member: Member): boolean {
  switch (deed) {
    case 'approve':
    case 'decline':
      return member.status === 'pending';
    case 'block':
      return !member.blocked && member.status !== 'removed';
    case 'unblock':
      return member.blocked;
    case 'invite-again':
      return member.status === 'invited';
  }
}

export function MemberBulk({ picked, onClear }: { picked: Member[]; onClear: () => void }) {
  const [deed, setDeed] = useState<Deed | null>(null);
  return (
    <section className="picked-bar no-print" aria-label={w.members.picked(picked.length)}>
      <b>{w.members.picked(picked.length)}</b>
      {picked.length > MANY ? (
        <span>{w.members.pickMany}</span>
      ) : (
        fitting(picked).map((one) => (
          <button key={one} type="button" className="button small" onClick={() => setDeed(one)}>
            {w.members.deed[one]}
          </button>
        ))
      )}
      <button type="button" className="link" onClick={onClear}>
        {w.members.clear}
      </button>
      {deed && <BulkDialog deed={deed} picked={picked} onClose={() => setDeed(null)} onDone={onClear} />}
    </section>
  );
}

export function decide(deed: Deed, member_ids: string[]): Promise<{ items: Result[] }> {
  const body = { member_ids };
  switch (deed) {
    case 'approve':
      return write(() => hub.POST('/api/v1/members/approve', { body }));
    case 'decline':
      return write(() => hub.POST('/api/v1/members/decline', { body }));
    case 'block':
      return write(() => hub.POST('/api/v1/members/block', { body }));
    case 'unblock':
      return write(() => hub.POST('/api/v1/members/unblock', { body }));
    case 'invite-again':
      return write(() => hub.POST('/api/v1/members/invite-again', { body }));
  }
}

function BulkDialog(props: { deed: Deed; picked: Member[]; onClose: () => void; onDone: () => void }) {
  const { deed, picked } = props;
  const fit = picked.filter((member) => fits(deed, member));
  const decision = useMutation({
    mutationFn: () =>
      decide(
        deed,
        fit.map(({ id }) => id),
      ),
  });
  if (decision.data) return <Results results={decision.data.items} picked={picked} onClose={props.onDone} />;
  return (
    <Dialog title={w.members.deedN(w.members.deed[deed], fit.length)} onClose={props.onClose}>
      <p>{w.members.consequence[deed]}</p>
      {decision.error && <ProblemBox error={decision.error} />}
      <div className="buttons">
        <button type="button" className="button primary" disabled={decision.isPending} onClick={() => decision.mutate()}>
          {decision.isPending ? w.saving : w.members.deedN(w.members.deed[deed], fit.length)}
        </button>
        <button type="button" className="button" onClick={props.onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}

const DONE = ['done', 'decided'];

/** Each person by itself: some may be done while others are refused. */
function Results({ results, picked, onClose }: { results: Result[]; picked: Member[]; onClose: () => void }) {
  const slug = useSlug();
  const done = results.filter((one) => DONE.includes(one.result)).length;
  const unchanged = results.filter((one) => one.result === 'unchanged').length;
  const failed = results.filter((one) => !DONE.includes(one.result) && one.result !== 'unchanged');
  const emailOf = (id: string) => picked.find((member) => member.id === id)?.email ?? id;
  return (
    <Dialog title={w.members.result.title} onClose={onClose}>
      <p role="status">
        {[w.members.result.done(done), w.members.result.unchanged(unchanged), w.members.result.failed(failed.length)].join(', ')}.
      </p>
      {failed.length > 0 && (
        <ul className="list">
          {failed.map((one) => (
            <li key={one.member_id}>
              <Link to="/t/$slug/members/$id" params={{ slug, id: one.member_id }}>
                {emailOf(one.member_id)}
              </Link>
              : {one.detail ? sentence(one.detail) : (w.members.result.reason[one.result] ?? one.result)}
            </li>
          ))}
        </ul>
      )}
      <div>
        <button type="button" className="button primary" onClick={onClose}>
          {w.close}
        </button>
      </div>
    </Dialog>
  );
}
