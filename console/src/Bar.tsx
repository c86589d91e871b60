import { useQuery } from '@tanstack/react-query';
import { Link, useRouterState } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { overview } from './api/queries';
import { Icon } from './parts/Icon';
import { KeysHelp, useKeys } from './parts/keys';
import { ThemeButton } from './parts/theme';
import { useSession, useSlug } from './session';
import { w } from './words';

const Palette = lazy(() => import('./parts/Palette'));

/** The left bar; on a phone a bar on top that opens. */
export function Bar() {
  const slug = useSlug();
  const { tenant, member, role } = useSession();
  const [open, setOpen] = useState(false);
  const [over, setOver] = useState<'palette' | 'keys' | null>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new page closes the menu
  useEffect(() => setOpen(false), [path]);
  useKeys(slug, setOver);
  return (
    <header className="bar" data-open={open}>
      <div className="bar-top">
        <p className="brand">
          {tenant.name}
          <small className="wide-only">Rollcall</small>
        </p>
        <button type="button" className="button small menu-button" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="menu" />
          {w.menu}
        </button>
      </div>
      <div className="bar-body">
        <button type="button" className="search" onClick={() => setOver('palette')}>
          <span>{w.search}</span>
          <kbd>Ctrl K</kbd>
        </button>
        <Menu slug={slug} />
        <div className="bar-foot">
          <p className="small muted" style={{ padding: '0 8px', overflowWrap: 'anywhere' }}>
            {member?.display_name ?? member?.email} · {w.role[role]}
          </p>
          <ThemeButton />
          <button type="button" className="plain" onClick={() => setOver('keys')}>
            {w.keys.button}
          </button>
          <form method="post" action="/sign-out">
            <button type="submit" className="plain">
              {w.signOut}
            </button>
          </form>
        </div>
      </div>
      {over === 'palette' && (
        <Suspense fallback={null}>
          <Palette onClose={() => setOver(null)} />
        </Suspense>
      )}
      {over === 'keys' && <KeysHelp onClose={() => setOver(null)} />}
    </header>
  );
}

function Menu({ slug }: { slug: string }) {
  const { data } = useQuery(overview);
  const counts = data?.attention;
  const items = [
    ['/t/$slug/overview', w.nav.overview, 0],
    ['/t/$slug/members', w.nav.members, counts?.approvals],
    ['/t/$slug/why', w.nav.why, 0],
    ['/t/$slug/groups', w.nav.groups, 0],
    ['/t/$slug/runs', w.nav.runs, counts?.held_runs],
    ['/t/$slug/attention', w.nav.attention, counts?.skipped_records],
    ['/t/$slug/sources', w.nav.sources, counts?.quarantined_sources],
    ['/t/$slug/policy', w.nav.policy, 0],
    ['/t/$slug/audit', w.nav.audit, 0],
  ] as const;
  return (
    <nav className="menu" aria-label={w.menu}>
      {items.map(([to, name, waits]) => (
        <Link key={to} to={to} params={{ slug }} activeProps={{ 'aria-current': 'page' }}>
          {name}
          {!!waits && <span className="count">{waits > 999 ? '999+' : waits}</span>}
        </Link>
      ))}
    </nav>
  );
}
