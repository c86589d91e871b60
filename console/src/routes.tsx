import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { FrontDoor, Lost, LostOutside, PageProblem, Tenant } from './Shell';
import * as search from './search';

// One constant for each route: written inline they lose their types, and wrong links compile.
const root = createRootRoute({ notFoundComponent: LostOutside });
const door = createRoute({ getParentRoute: () => root, path: '/', component: FrontDoor });
const tenant = createRoute({ getParentRoute: () => root, path: '/t/$slug', component: Tenant, notFoundComponent: Lost });
const home = createRoute({ getParentRoute: () => tenant, path: '/', component: FrontDoor });
const overview = createRoute({
  getParentRoute: () => tenant,
  path: 'overview',
  component: lazyRouteComponent(() => import('./pages/Overview'), 'Overview'),
});
const members = createRoute({
  getParentRoute: () => tenant,
  path: 'members',
  validateSearch: search.members,
  component: lazyRouteComponent(() => import('./pages/Members'), 'Members'),
});
const member = createRoute({
  getParentRoute: () => tenant,
  path: 'members/$id',
  component: lazyRouteComponent(() => import('./pages/Member'), 'MemberPage'),
});
const why = createRoute({
  getParentRoute: () => tenant,
  path: 'why',
  validateSearch: search.why,
  component: lazyRouteComponent(() => import('./pages/Why'), 'Why'),
});
const groups = createRoute({
  getParentRoute: () => tenant,
  path: 'groups',
  component: lazyRouteComponent(() => import('./pages/Groups'), 'Groups'),
});
const group = createRoute({
  getParentRoute: () => tenant,
  path: 'groups/$id',
  component: lazyRouteComponent(() => import('./pages/Groups'), 'Group'),
});
const runs = createRoute({
  getParentRoute: () => tenant,
  path: 'runs',
  validateSearch: search.runs,
  component: lazyRouteComponent(() => import('./pages/Runs'), 'Runs'),
});
const run = createRoute({
  getParentRoute: () => tenant,
  path: 'runs/$id',
  validateSearch: search.run,
  component: lazyRouteComponent(() => import('./pages/RunReview'), 'RunReview'),
});
const attention = createRoute({
  getParentRoute: () => tenant,
  path: 'attention',
  validateSearch: search.attention,
  component: lazyRouteComponent(() => import('./pages/Attention'), 'Attention'),
});
const sources = createRoute({
  getParentRoute: () => tenant,
  path: 'sources',
  component: lazyRouteComponent(() => import('./pages/Sources'), 'Sources'),
});
const newSource = createRoute({
  getParentRoute: () => tenant,
  path: 'sources/new',
  component: lazyRouteComponent(() => import('./pages/SetUp'), 'NewSource'),
});
const source = createRoute({
  getParentRoute: () => tenant,
  path: 'sources/$id',
  validateSearch: search.source,
  component: lazyRouteComponent(() => import('./pages/Source'), 'SourcePage'),
});
const setUp = createRoute({
  getParentRoute: () => tenant,
  path: 'sources/$id/set-up',
  validateSearch: search.setUp,
  component: lazyRouteComponent(() => import('./pages/SetUp'), 'SetUp'),
});
const policy = createRoute({
  getParentRoute: () => tenant,
  path: 'policy',
  component: lazyRouteComponent(() => import('./pages/Policy'), 'PolicyPage'),
});
const audit = createRoute({
  getParentRoute: () => tenant,
  path: 'audit',
  validateSearch: search.audit,
  component: lazyRouteComponent(() => import('./pages/Audit'), 'Audit'),
});

const tree = root.addChildren([
  door,
  tenant.addChildren([
    home,
    overview,
    members,
    member,
    why,
    groups,
    group,
    runs,
    run,
    attention,
    sources,
    newSource,
    source,
    setUp,
    policy,
    audit,
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  defaultPreload: 'intent',
  defaultPreloadStaleTime: 0,
  scrollRestoration: true,
  defaultErrorComponent: PageProblem,
  defaultNotFoundComponent: Lost,
});
declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
