import { Link } from '@tanstack/react-router';
import type { RunItem } from '../../api/client';
import { Dialog } from '../../parts/Dialog';
import { useSlug } from '../../session';
import { w } from '../../words';
import { actionText, whoOf } from './items';

const words = w.runs;

/** The source's words about one person, and the way to the whole story. On a phone it lies over the plan. */
export function ItemDetail({ item, inDialog, onClose }: { item: RunItem; inDialog: boolean; onClose: () => void }) {
  const { name } = whoOf(item);
  const body = <Facts item={item} />;
  if (inDialog) {
    return (
      <Dialog title={name} onClose={onClose}>
        {body}
        <div>
          <button type="button" className="button" onClick={onClose}>
            {w.close}
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <section className="card no-print" aria-live="polite">
      <h2 style={{ overflowWrap: 'anywhere' }}>{name}</h2>
      {body}
    </section>
  );
}

function Facts({ item }: { item: RunItem }) {
  const slug = useSlug();
  const { email, group } = whoOf(item);
  const reason = item.held_reason ? words.reason[item.held_reason] : undefined;
  const laterRun = (item.detail as { later_run_id?: string } | null)?.later_run_id;
  return (
    <div className="stack tight" style={{ overflowWrap: 'anywhere' }}>
      {email && <p className="muted">{email}</p>}
      <p>
        {actionText(item.action)}
        {group && ` ${group}`}; {words.why[item.why] ?? item.why}.
      </p>
      {reason && (
        <p>
          <b>{reason[0]}:</b> {reason[1]} {reason[2]}
        </p>
      )}
      {item.member_id && (
        <p>
          <Link to="/t/$slug/members/$id" params={{ slug, id: item.member_id }}>
            {words.whole}
          </Link>
        </p>
      )}
      {laterRun && (
        <p>
          <Link to="/t/$slug/runs/$id" params={{ slug, id: laterRun }}>
            {words.later}
          </Link>
        </p>
      )}
      {item.request_id && (
        <p className="small">
          <Link to="/t/$slug/audit" params={{ slug }} search={{ request: item.request_id }}>
            {w.request} {item.request_id.slice(0, 8)}
          </Link>
        </p>
      )}
    </div>
  );
}
