import { useQuery } from '@tanstack/react-query';
import { dialect } from '../../api/sources';
import { Empty, Loading, ProblemBox, sentence } from '../../parts/states';
import { w } from '../../words';

const words = w.sources.speaks;

/** The ledger of a provider's departures from the standard, in sentences. */
export function Speaks({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(dialect(id));
  if (error && !data) return <ProblemBox error={error} retry={refetch} />;
  if (!data) return <Loading />;
  return (
    <div className="stack">
      {data.quirks.length === 0 ? (
        <Empty title={words.none}>
          <p>{words.noneText}</p>
        </Empty>
      ) : (
        <>
          <p>{words.lead(data.requests)}</p>
          <ul className="list">
            {data.quirks.map((quirk) => (
              <li key={quirk.quirk}>
                <b>{quirk.quirk.replaceAll('_', ' ')}</b> <span className="muted">{words.times(quirk.count)}</span>
                <p className="small">
                  {words.readAs} {quirk.read_as}
                </p>
              </li>
            ))}
          </ul>
        </>
      )}
      {data.advice.length > 0 && (
        <section className="note stack tight">
          <h2>{words.advice}</h2>
          {data.advice.map((advice) => (
            <p key={advice}>{sentence(advice)}</p>
          ))}
        </section>
      )}
    </div>
  );
}
