import { Icon } from '../../../parts/Icon';
import { w } from '../../../words';

/** The five steps; those that are behind can be gone back to. */
export function Steps({ at, onGo }: { at: number; onGo?: (step: number) => void }) {
  return (
    <ol className="steps" aria-label={w.sources.setup.title}>
      {w.sources.setup.steps.map((name, index) => {
        const step = index + 1;
        const done = step < at;
        return (
          <li key={name} aria-current={step === at ? 'step' : undefined} data-done={done}>
            <span className="dot">{done ? <Icon name="check" size={12} /> : step}</span>
            <span>
              {done && onGo && step > 1 ? (
                <button type="button" className="link" onClick={() => onGo(step)}>
                  {name}
                </button>
              ) : (
                name
              )}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
