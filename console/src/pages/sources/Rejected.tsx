import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { hub, type Schemas, write } from '../../api/client';
import { rejected } from '../../api/sources';
import { Empty, Loading, ProblemBox, sentence } from '../../parts/states';
import { Time } from '../../parts/Time';
import { useSession } from '../../session';
import { w } from '../../words';

const words = w.sources.rejected;

export function Rejected({ id }: { id: string }) {
  const { data, error, refetch } = useQuery(rejected(id));
  if (error && !data) return <ProblemBox error={error} retry={refetch} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) {
    return (
      <Empty title={words.none}>
        <p>{words.noneText}</p>
      </Empty>
    );
  }
  return (
    <ul className="list">
      {data.items.map((one) => (
        <Request key={one.id} source={id} request={one} />
      ))}
    </ul>
  );
}

function Request({ source, request }: { source: string; request: Schemas['RejectedRequest'] }) {
  const client = useQueryClient();
  const { may } = useSession();
  const replay = useMutation({
    mutationFn: () =>
      write(() =>
        hub.POST('/api/v1/sources/{id}/rejected/{rejected_id}/replay', { params: { path: { id: source, rejected_id: request.id } } }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['rejected', source] }),
  });
  return (
    <li className="stack tight">
      <p>
        <code>
          {request.method} {request.path}
        </code>{' '}
        <span className="muted small">
          <Time at={request.at} />
        </span>
      </p>
      <p>{sentence(request.answer.detail)}</p>
      <details>
        <summary className="small muted">{words.body}</summary>
        <pre>{JSON.stringify(request.body, null, 2)}</pre>
      </details>
      {replay.error && <ProblemBox error={replay.error} />}
      {replay.data && (
        <p className="note good" role="status">
          {words.replayed(replay.data.status)} {replay.data.detail && sentence(replay.data.detail)}
        </p>
      )}
      {may('runs') && (
        <div>
          {request.replayable ? (
            <button type="button" className="button small" disabled={replay.isPending} onClick={() => replay.mutate()}>
              {words.replay}
            </button>
          ) : (
            <span className="small muted">{words.notReplayable}</span>
          )}
        </div>
      )}
    </li>
  );
}
