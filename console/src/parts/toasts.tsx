import { type ReactNode, useSyncExternalStore } from 'react';
import { w } from '../words';

type Toast = { id: number; text: ReactNode };
let shown: Toast[] = [];
let next = 0;
const listeners = new Set<() => void>();
const change = (to: Toast[]) => {
  shown = to;
  for (const listener of listeners) listener();
};
const drop = (id: number) => change(shown.filter((toast) => toast.id !== id));

/** Says that a deed is done. What needs a decision is never a toast. */
export function toast(text: ReactNode) {
  const id = next++;
  change([...shown.slice(-3), { id, text }]);
  window.setTimeout(() => drop(id), 10_000);
}

export function Toasts() {
  const all = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => shown,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map(({ id, text }) => (
        <div key={id} className="toast">
          <span>{text}</span>
          <button type="button" className="link" onClick={() => drop(id)}>
            {w.close}
          </button>
        </div>
      ))}
    </div>
  );
}
