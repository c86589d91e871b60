import { useMutation } from '@tanstack/react-query';
import { hub, type Source, write } from '../../../api/client';
import { GUIDES, type Guide, type Piece, pieces } from '../../../guides';
import { Copy } from '../../../parts/Copy';
import { Select } from '../../../parts/Field';
import { Secret } from '../../../parts/Secret';
import { ProblemBox } from '../../../parts/states';
import { useSession } from '../../../session';
import { w } from '../../../words';
import { scimAddress } from '../address';
import type { MadeToken } from '../newTokens';

const words = w.sources.setup;
type Props = {
  source: Source;
  guide: Guide | undefined;
  made: MadeToken | null;
  onMade: (made: MadeToken) => void;
  onChoose: (key: string) => void;
  onNext: () => void;
};

/** The values of this source, and the provider's steps with the values in them. */
export function ValuesStep({ source, guide, made, onMade, onChoose, onNext }: Props) {
  const { may } = useSession();
  const address = made?.address ?? scimAddress(source.id);
  const another = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/sources/{id}/tokens', { params: { path: { id: source.id } }, body: {} })),
    gcTime: 0,
    onSuccess: ({ token }) => onMade({ token: token ?? '', address }),
  });
  return (
    <>
      <h2>2. {words.values(guide?.name ?? source.name)}</h2>
      {!guide && (
        <Select
          label={words.which}
          any={w.any}
          value=""
          options={GUIDES.map((one) => [one.key, one.name] as const)}
          onChange={(key) => key && onChoose(key)}
        />
      )}
      <dl className="facts">
        <dt>{words.address}</dt>
        <dd>
          <Copy text={address} label={words.address} />
        </dd>
        <dt>{words.token}</dt>
        <dd>
          {made ? (
            <Secret secret={made.token} label={words.token} />
          ) : (
            <div className="stack tight">
              <span className="muted">{words.tokenGone}</span>
              {may('sources', 'owner') && (
                <div>
                  <button type="button" className="button small" disabled={another.isPending} onClick={() => another.mutate()}>
                    {words.another}
                  </button>
                </div>
              )}
              {another.error && <ProblemBox error={another.error} />}
            </div>
          )}
        </dd>
      </dl>
      {guide && <Guided guide={guide} address={address} />}
      <p className="small muted">{words.resume}</p>
      <div>
        <button type="button" className="button primary" onClick={onNext}>
          {words.pasted}
        </button>
      </div>
    </>
  );
}

function Guided({ guide, address }: { guide: Guide; address: string }) {
  return (
    <ol className="guide">
      {guide.steps.map((step) => (
        <li key={step}>
          {pieces(step).map((piece, at) => (
            <PieceOf key={`${at} ${piece.kind}`} piece={piece} address={address} />
          ))}
        </li>
      ))}
    </ol>
  );
}

function PieceOf({ piece, address }: { piece: Piece; address: string }) {
  switch (piece.kind) {
    case 'text':
      return <>{piece.text}</>;
    case 'name':
      return <b>{piece.text}</b>;
    case 'token':
      return <i>{words.token.toLowerCase()}</i>;
    case 'address':
      return <code>{address}</code>;
    case 'flagged':
      return <code>{`${address}?aadOptscim062020`}</code>;
  }
}
