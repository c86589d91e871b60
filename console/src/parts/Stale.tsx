import { w } from '../words';

/** Tells that a long list changed, and reads it anew when the reader says so. */
export function Stale({
  list,
  text = w.changedSince,
  deed = w.refresh,
}: {
  list: { isStaleList: boolean; freshen: () => unknown };
  text?: string;
  deed?: string;
}) {
  if (!list.isStaleList) return null;
  return (
    <p className="note" role="status" style={{ marginBottom: 12 }}>
      {text}{' '}
      <button type="button" className="link" onClick={() => list.freshen()}>
        {deed}
      </button>
    </p>
  );
}
