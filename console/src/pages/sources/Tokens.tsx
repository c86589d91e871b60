import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { hub, type Schemas, write } from '../../api/client';
import { tokens } from '../../api/sources';
import { Dialog } from '../../parts/Dialog';
import { Field, Select } from '../../parts/Field';
import { Secret } from '../../parts/Secret';
import { Empty, Loading, ProblemBox } from '../../parts/states';
import { ago, Time } from '../../parts/Time';
import { useSession } from '../../session';
import { w } from '../../words';

type Token = Schemas['SourceToken'];
const words = w.sources.tokens;
const hasEnded = (token: Token) => !!token.revoked_at || (!!token.expires_at && new Date(token.expires_at).getTime() < Date.now());

export function Tokens({ id }: { id: string }) {
  const { may } = useSession();
  const { data, error, refetch } = useQuery(tokens(id));
  const [deed, setDeed] = useState<{ kind: 'make' } | { kind: 'rotate' | 'revoke'; token: Token } | null>(null);
  const [made, setMade] = useState<{ secret: string; until: string | null } | null>(null);
  const [live, ended] = [data?.items.filter((one) => !hasEnded(one)) ?? [], data?.items.filter(hasEnded) ?? []];
  const owner = may('sources', 'owner');
  return (
    <div className="stack">
      {made && (
        <div className="stack tight">
          {made.until && <p className="note">{words.rotated(ago(made.until))}</p>}
          <Secret secret={made.secret} label={w.sources.setup.token} onStored={() => setMade(null)} />
        </div>
      )}
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && live.length === 0 && (
        <Empty title={words.none}>
          <p>{words.noneText}</p>
        </Empty>
      )}
      {live.length > 0 && (
        <ul className="list">
          {live.map((token) => (
            <Row
              key={token.id}
              token={token}
              onRotate={() => setDeed({ kind: 'rotate', token })}
              onRevoke={() => setDeed({ kind: 'revoke', token })}
            />
          ))}
        </ul>
      )}
      {owner ? (
        <div>
          <button type="button" className="button" onClick={() => setDeed({ kind: 'make' })}>
            {words.make}
          </button>
        </div>
      ) : (
        <p className="small muted">{w.notAllowed(w.role.owner)}</p>
      )}
      {ended.length > 0 && (
        <details>
          <summary className="muted">{words.showEnded(ended.length)}</summary>
          <ul className="list" style={{ marginTop: 8 }}>
            {ended.map((token) => (
              <Row key={token.id} token={token} />
            ))}
          </ul>
        </details>
      )}
      {deed && <TokenDialog id={id} deed={deed} onMade={(secret, until) => setMade({ secret, until })} onClose={() => setDeed(null)} />}
    </div>
  );
}

function Row({ token, onRotate, onRevoke }: { token: Token; onRotate?: () => void; onRevoke?: () => void }) {
  const { may } = useSession();
  return (
    <li className="card-head" style={{ margin: 0, flexWrap: 'wrap' }}>
      <div>
        <b>{token.name || token.prefix}</b> {token.name && <code className="muted">{token.prefix}…</code>}
        <p className="small muted">
          {words.head.used}: {token.last_used_at ? <Time at={token.last_used_at} /> : w.sources.never}. {words.head.ends}:{' '}
          {token.revoked_at ? (
            <Time at={token.revoked_at} />
          ) : token.expires_at ? (
            <>
              {token.replaced_by ? `${words.replaced} ` : ''}
              <Time at={token.expires_at} />
            </>
          ) : (
            words.neverEnds
          )}
          .
        </p>
      </div>
      {onRotate && onRevoke && (
        <div className="buttons">
          {may('sources', 'owner') && !token.replaced_by && (
            <button type="button" className="button small" onClick={onRotate}>
              {words.rotate}
            </button>
          )}
          {may('sources') && (
            <button type="button" className="button small" onClick={onRevoke}>
              {words.revoke}
            </button>
          )}
        </div>
      )}
    </li>
  );
}

type Deed = { kind: 'make' } | { kind: 'rotate' | 'revoke'; token: Token };
function TokenDialog(props: { id: string; deed: Deed; onMade: (secret: string, until: string | null) => void; onClose: () => void }) {
  const { id, deed } = props;
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [overlap, setOverlap] = useState('86400');
  const change = useMutation({
    mutationFn: async () => {
      if (deed.kind === 'make') {
        const body = name.trim() ? { name: name.trim() } : {};
        const made = await write(() => hub.POST('/api/v1/sources/{id}/tokens', { params: { path: { id } }, body }));
        props.onMade(made.token ?? '', null);
        return;
      }
      const params = { path: { id, token_id: deed.token.id } };
      if (deed.kind === 'revoke') {
        await write(() => hub.DELETE('/api/v1/sources/{id}/tokens/{token_id}', { params }));
        return;
      }
      const body = { overlap_seconds: Number(overlap) };
      const made = await write(() => hub.POST('/api/v1/sources/{id}/tokens/{token_id}/rotate', { params, body }));
      props.onMade(made.token ?? '', made.replaces.expires_at);
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['tokens', id] });
      props.onClose();
    },
  });
  const title = words[deed.kind];
  return (
    <Dialog title={title} holdsInput onClose={props.onClose}>
      {deed.kind === 'make' && (
        <Field label={words.name}>
          {(ids) => <input {...ids} value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />}
        </Field>
      )}
      {deed.kind === 'rotate' && (
        <Select label={words.overlap} value={overlap} options={words.overlaps} onChange={(to) => setOverlap(to ?? '86400')} />
      )}
      {deed.kind === 'revoke' && <p>{words.revokeText}</p>}
      {change.error && <ProblemBox error={change.error} />}
      <div className="buttons">
        <button
          type="button"
          className={deed.kind === 'revoke' ? 'button danger' : 'button primary'}
          disabled={change.isPending}
          onClick={() => change.mutate()}
        >
          {change.isPending ? w.saving : title}
        </button>
        <button type="button" className="button" onClick={props.onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}
