import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { hub, write } from '../api/client';
import { source } from '../api/sources';
import { GUIDES } from '../guides';
import { Field } from '../parts/Field';
import { Page } from '../parts/Page';
import { Loading, ProblemBox } from '../parts/states';
import { useSession, useSlug } from '../session';
import { w } from '../words';
import { hand, type MadeToken, take } from './sources/newTokens';
import { PlanStep } from './sources/setup/PlanStep';
import { Steps } from './sources/setup/Steps';
import { TestStep } from './sources/setup/TestStep';
import { ValuesStep } from './sources/setup/ValuesStep';

const words = w.sources.setup;
const crumbs = (slug: string) => (
  <Link to="/t/$slug/sources" params={{ slug }}>
    {w.sources.title}
  </Link>
);

/** The first step: the provider. The source is made when it is chosen, in simulation. */
export function NewSource() {
  const slug = useSlug();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { may } = useSession();
  const [idp, setIdp] = useState(GUIDES[0]?.key ?? '');
  const [name, setName] = useState<string | null>(null);
  const guide = GUIDES.find((one) => one.key === idp);
  const shown = name ?? guide?.name ?? '';
  const make = useMutation({
    mutationFn: () => write(() => hub.POST('/api/v1/sources', { body: { name: shown.trim(), mode: 'simulate' } })),
    // The answer holds the token: it is not kept in the cache.
    gcTime: 0,
    onSuccess: (made) => {
      hand(made.id, { token: made.token, address: made.scim_url ?? null });
      void client.invalidateQueries({ queryKey: ['sources'] });
      void navigate({ to: '/t/$slug/sources/$id/set-up', params: { slug, id: made.id }, search: { idp, step: 2 } });
    },
  });
  return (
    <Page title={words.title} crumbs={crumbs(slug)}>
      <div className="setup">
        <Steps at={1} />
        {!may('sources', 'owner') ? (
          <section className="card">{words.ownerOnly}</section>
        ) : (
          <form
            className="card stack"
            onSubmit={(event) => {
              event.preventDefault();
              make.mutate();
            }}
          >
            <fieldset className="bare stack tight">
              <legend className="strong" style={{ padding: 0, marginBottom: 8 }}>
                {words.which}
              </legend>
              {GUIDES.map((one) => (
                <label key={one.key} className="check">
                  <input type="radio" name="idp" value={one.key} checked={one.key === idp} onChange={() => setIdp(one.key)} />
                  {one.name}
                </label>
              ))}
            </fieldset>
            <Field label={words.name}>
              {(ids) => (
                <input {...ids} value={shown} maxLength={100} onChange={(event) => setName(event.target.value)} autoComplete="off" />
              )}
            </Field>
            {make.error && <ProblemBox error={make.error} />}
            <div>
              <button type="submit" className="button primary" disabled={make.isPending || !shown.trim()}>
                {make.isPending ? w.saving : words.begin}
              </button>
            </div>
          </form>
        )}
      </div>
    </Page>
  );
}

/** The steps of a source that exists. They can be left and taken up again: where one is stands in the address. */
export function SetUp() {
  const { id } = useParams({ from: '/t/$slug/sources/$id/set-up' });
  const { idp, step = 2 } = useSearch({ from: '/t/$slug/sources/$id/set-up' });
  const slug = useSlug();
  const navigate = useNavigate();
  const { data, error, refetch } = useQuery(source(id));
  const [made, setMade] = useState<MadeToken | null>(() => take(id));
  const guide = GUIDES.find((one) => one.key === idp) ?? GUIDES.find((one) => one.name === data?.name);
  const name = guide?.name ?? data?.name ?? '';
  const go = (to: number) => navigate({ to: '.', search: { idp: idp ?? guide?.key, step: to } });
  const title = words.titleOf(data?.name || name);
  return (
    <Page title={title} focusKey={`${id} ${step}`} crumbs={crumbs(slug)}>
      {error && !data && <ProblemBox error={error} retry={refetch} />}
      {!data && !error && <Loading />}
      {data && (
        <div className="setup">
          <Steps at={step} onGo={go} />
          <section className="card stack">
            {step === 2 && (
              <ValuesStep
                source={data}
                guide={guide}
                made={made}
                onMade={setMade}
                onChoose={(key) => navigate({ to: '.', search: { idp: key, step: 2 } })}
                onNext={() => go(3)}
              />
            )}
            {step === 3 && <TestStep id={id} name={name} onBack={() => go(2)} onNext={() => go(4)} />}
            {step >= 4 && <PlanStep source={data} name={name} onBack={() => go(3)} />}
          </section>
        </div>
      )}
    </Page>
  );
}
