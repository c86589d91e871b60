import { Link } from '@tanstack/react-router';
import type { Source } from '../../../api/client';
import { useSlug } from '../../../session';
import { w } from '../../../words';
import { Promotion } from '../Promotion';

const words = w.sources.setup;

/** The plan and its approval; once the source is live, the way on. */
export function PlanStep({ source, name, onBack }: { source: Source; name: string; onBack: () => void }) {
  const slug = useSlug();
  if (source.mode === 'live') {
    return (
      <>
        <h2>5. {words.live}</h2>
        <p>{words.liveText}</p>
        <div>
          <Link className="button primary" to="/t/$slug/members" params={{ slug }}>
            {words.seeMembers}
          </Link>
        </div>
      </>
    );
  }
  return (
    <>
      <h2>4. {words.steps[3]}</h2>
      <p>{words.assign(name)}</p>
      {source.mode === 'simulate' ? <Promotion source={source} /> : <p className="note">{w.sources.modeText.off}</p>}
      <div>
        <button type="button" className="button" onClick={onBack}>
          {w.back}
        </button>
      </div>
    </>
  );
}
