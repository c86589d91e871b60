import { useSuspenseQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import type { Schemas } from './api/client';
import { session } from './api/queries';

type Permission = Schemas['Permission'];
const RANK: Schemas['Role'][] = ['member', 'auditor', 'admin', 'owner'];

/** The caller, and what the caller may do. The shell has read the session before any page is shown. */
export function useSession() {
  const { data } = useSuspenseQuery(session);
  const atLeast = (role: Schemas['Role']) => RANK.indexOf(data.role) >= RANK.indexOf(role);
  const may = (permission: Permission, role: Schemas['Role'] = 'admin') => data.permissions.includes(permission) && atLeast(role);
  return { ...data, atLeast, may };
}

export const useSlug = () => useParams({ from: '/t/$slug' }).slug;

const BACK = 'rollcall-back';
/** Keeps the page that was asked for in this tab, and goes to the sign-in. What is kept never leaves this origin. */
export function goToSignIn() {
  sessionStorage.setItem(BACK, location.pathname + location.search);
  location.assign('/sign-in');
}
/** The page that was asked for before the sign-in: a path of the console, or nothing. */
export function takeBack(): string | null {
  const back = sessionStorage.getItem(BACK);
  sessionStorage.removeItem(BACK);
  return back && isOwnPath(back) ? back : null;
}
/** True for a path of a tenant's pages on this origin, and nothing that a browser reads as another host. */
export function isOwnPath(path: string) {
  try {
    const url = new URL(path, location.origin);
    return url.origin === location.origin && url.pathname.startsWith('/t/') && path.startsWith('/t/');
  } catch {
    return false;
  }
}
