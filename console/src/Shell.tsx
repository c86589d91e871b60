import { QueryErrorResetBoundary, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useParams } from '@tanstack/react-router';
import { Suspense, useEffect } from 'react';
import { follow } from './api/changes';
import { ApiError } from './api/client';
import { session } from './api/queries';
import { Bar } from './Bar';
import { Page } from './parts/Page';
import { SignInAgain } from './parts/SignInAgain';
import { Loading, ProblemBox } from './parts/states';
import { Toasts } from './parts/toasts';
import { goToSignIn, takeBack } from './session';
import { w } from './words';

/** The pages of a tenant: shown to whom is signed in to it. */
export function Tenant() {
  const { slug } = useParams({ from: '/t/$slug' });
  const { data, error, refetch } = useQuery(session);
  const client = useQueryClient();
  const signedOut = error instanceof ApiError && error.status === 401 && !data;
  useEffect(() => {
    if (signedOut) goToSignIn();
  }, [signedOut]);
  const isIn = data?.tenant.slug === slug;
  useEffect(() => (isIn ? follow(client) : undefined), [client, isIn]);
  if (!data) {
    return <Frame>{error && !signedOut ? <ProblemBox error={error} retry={refetch} /> : <Loading />}</Frame>;
  }
  if (!isIn) return <Foreign own={data.tenant} asked={slug} />;
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {w.skip}
      </a>
      <Bar />
      <main className="content" id="content" tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </main>
      <Toasts />
      <SignInAgain />
    </div>
  );
}

function Frame({ children }: { children: React.ReactNode }) {
  return (
    <div className="shell">
      <header className="bar">
        <p className="brand">Rollcall</p>
      </header>
      <main className="content">{children}</main>
    </div>
  );
}

function Foreign({ own, asked }: { own: { slug: string; name: string }; asked: string }) {
  return (
    <Frame>
      <Page title={w.session.otherTitle}>
        <div className="stack">
          <p>{w.session.other(own.name, asked)}</p>
          <div className="buttons">
            <Link className="button primary" to="/t/$slug/overview" params={{ slug: own.slug }}>
              {w.session.goOwn(own.name)}
            </Link>
            <a className="button" href="/sign-in">
              {w.session.fresh}
            </a>
          </div>
        </div>
      </Page>
    </Frame>
  );
}

/** The address of the hub alone: on to the page that was asked for before the sign-in, or to the overview. */
export function FrontDoor() {
  const { data, error, refetch } = useQuery(session);
  const navigate = useNavigate();
  const signedOut = error instanceof ApiError && error.status === 401;
  useEffect(() => {
    if (signedOut) location.assign('/sign-in');
    if (!data) return;
    const back = takeBack();
    if (back) void navigate({ href: back, replace: true });
    else void navigate({ to: '/t/$slug/overview', params: { slug: data.tenant.slug }, replace: true });
  }, [data, signedOut, navigate]);
  return <Frame>{error && !signedOut ? <ProblemBox error={error} retry={refetch} /> : <Loading />}</Frame>;
}

/** A page that failed to be shown. One that could not be fetched is of an earlier release: the browser reads the new one, once. */
export function PageProblem({ error, reset }: { error: unknown; reset: () => void }) {
  const isOld = error instanceof Error && /dynamically imported module|preload/i.test(error.message);
  useEffect(() => {
    if (!isOld || sessionStorage.getItem('rollcall-reloaded') === location.href) return;
    sessionStorage.setItem('rollcall-reloaded', location.href);
    location.reload();
  }, [isOld]);
  return (
    <QueryErrorResetBoundary>
      {({ reset: again }) => (
        <ProblemBox
          error={error}
          retry={() => {
            again();
            reset();
          }}
        />
      )}
    </QueryErrorResetBoundary>
  );
}

export function Lost() {
  return (
    <Page title={w.lost.title}>
      <div className="stack">
        <p>{w.lost.text}</p>
        <p>
          <Link to="/">{w.lost.home}</Link>
        </p>
      </div>
    </Page>
  );
}

/** An address that is no tenant's. */
export function LostOutside() {
  return (
    <Frame>
      <Lost />
    </Frame>
  );
}
