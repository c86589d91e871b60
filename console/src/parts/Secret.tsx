import { w } from '../words';
import { Copy } from './Copy';

/** A secret that is shown once. It lives in the component that made it: never in an address, a cache or a toast. */
export function Secret({ secret, label, onStored }: { secret: string; label: string; onStored?: () => void }) {
  return (
    <section className="secret" aria-label={label}>
      <Copy text={secret} label={label} />
      <p>{w.sources.tokens.once}</p>
      {onStored && (
        <div>
          <button type="button" className="button" onClick={onStored}>
            {w.sources.tokens.stored}
          </button>
        </div>
      )}
    </section>
  );
}
