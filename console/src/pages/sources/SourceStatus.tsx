import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { hub, type Source, write } from '../../api/client';
import { requests, sources } from '../../api/sources';
import { Copy } from '../../parts/Copy';
import { Dialog } from '../../parts/Dialog';
import { Field } from '../../parts/Field';
import { Pulse } from '../../parts/Pulse';
import { ProblemBox, sentence } from '../../parts/states';
import { Time } from '../../parts/Time';
import { toast } from '../../parts/toasts';
import { useList } from '../../parts/useList';
import { useSession, useSlug } from '../../session';
import { w } from '../../words';
import { scimAddress } from './address';

const words = w.sources;

export function SourceStatus({ source }: { source: Source }) {
  return (
    <div className="cards">
      <section className="card">
        <h2>{words.tabs.status}</h2>
        <dl className="facts">
          <dt>{words.facts.mode}</dt>
          <dd>
            {words.mode[source.mode]}: {words.modeText[source.mode]}
          </dd>
          <dt>{words.lastHeard}</dt>
          <dd>{source.last_used_at ? <Time at={source.last_used_at} /> : words.never}</dd>
          <dt>{words.facts.groups}</dt>
          <dd>{source.users_only ? words.usersOnly : words.withGroups}</dd>
          <dt>{words.facts.created}</dt>
          <dd>
            <Time at={source.created_at} exact />
          </dd>
          {source.kind === 'scim' && (
            <>
              <dt>{words.facts.address}</dt>
              <dd>
                <Copy text={scimAddress(source.id)} label={words.facts.address} />
              </dd>
            </>
          )}
          <dt>{words.facts.id}</dt>
          <dd>
            <Copy text={source.id} short label={words.facts.id} />
          </dd>
        </dl>
      </section>
      {source.kind === 'scim' && <Heard id={source.id} />}
      <Mode source={source} />
    </div>
  );
}

/** The latest words of the source, minute by minute, from its last requests. */
function Heard({ id }: { id: string }) {
  const slug = useSlug();
  const list = useList<{ id: string; at: string }>(requests(id, 30_000));
  return (
    <section className="card stack tight">
      <h2>{words.tabs.requests}</h2>
      {list.rows.length === 0 ? (
        <p className="muted">
          {w.overview.neverHeard}{' '}
          <Link to="/t/$slug/sources/$id/set-up" params={{ slug, id }}>
            {words.goOn}
          </Link>
        </p>
      ) : (
        <Pulse times={list.rows.map(({ at }) => at)} whole={!list.hasNextPage} />
      )}
    </section>
  );
}

type Deed = 'live' | 'simulate' | 'off' | 'release' | 'rename';

function Mode({ source }: { source: Source }) {
  const { may } = useSession();
  const slug = useSlug();
  const { data } = useQuery(sources);
  const [deed, setDeed] = useState<Deed | null>(null);
  const otherLive = data?.items.find((one) => one.mode === 'live' && one.id !== source.id);
  if (!may('sources')) return null;
  return (
    <section className="card stack tight">
      <h2>{words.changeMode}</h2>
      {source.quarantined_at && (
        <p className="note">
          {sentence(source.quarantine_reason ?? words.quarantine)} <Time at={source.quarantined_at} />
        </p>
      )}
      {source.mode === 'simulate' && otherLive && <p className="muted">{words.oneLive}</p>}
      <div className="buttons">
        {source.quarantined_at && <Button deed="release" onPick={setDeed} />}
        {source.mode === 'simulate' && (
          <Link className="button primary" to="/t/$slug/sources/$id" params={{ slug, id: source.id }} search={{ tab: 'promote' }}>
            {words.tabs.promote}
          </Link>
        )}
        {source.mode !== 'simulate' && <Button deed="simulate" onPick={setDeed} />}
        {source.mode !== 'off' && <Button deed="off" onPick={setDeed} />}
        <Button deed="rename" onPick={setDeed} />
      </div>
      {deed && <DeedDialog source={source} deed={deed} onClose={() => setDeed(null)} />}
    </section>
  );
}

const NAMES = { live: words.mode.live, simulate: words.simulate, off: words.off, release: words.release, rename: words.rename };
const TEXTS = { live: '', simulate: words.simulateText, off: words.offText, release: words.releaseText, rename: '' };

function Button({ deed, onPick }: { deed: Deed; onPick: (deed: Deed) => void }) {
  return (
    <button type="button" className="button" onClick={() => onPick(deed)}>
      {NAMES[deed]}
    </button>
  );
}

function DeedDialog({ source, deed, onClose }: { source: Source; deed: Deed; onClose: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState(source.name);
  const params = { path: { id: source.id } };
  const change = useMutation({
    mutationFn: () => {
      if (deed === 'release') return write(() => hub.POST('/api/v1/sources/{id}/release', { params }));
      const body = deed === 'rename' ? { name: name.trim() } : { mode: deed };
      return write(() => hub.PATCH('/api/v1/sources/{id}', { params, body }));
    },
    onSuccess: () => {
      toast(w.members.one.saved);
      void client.invalidateQueries({ queryKey: ['sources'] });
      onClose();
    },
  });
  return (
    <Dialog title={`${NAMES[deed]}: ${source.name || words.unnamed(source.id)}`} holdsInput={deed === 'rename'} onClose={onClose}>
      {deed === 'rename' ? (
        <Field label={words.facts.name}>
          {(ids) => <input {...ids} value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />}
        </Field>
      ) : (
        <p>{TEXTS[deed]}</p>
      )}
      {change.error && <ProblemBox error={change.error} />}
      <div className="buttons">
        <button
          type="button"
          className="button primary"
          disabled={change.isPending || (deed === 'rename' && !name.trim())}
          onClick={() => change.mutate()}
        >
          {change.isPending ? w.saving : NAMES[deed]}
        </button>
        <button type="button" className="button" onClick={onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}
