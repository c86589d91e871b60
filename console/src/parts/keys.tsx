import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { w } from '../words';
import { Dialog } from './Dialog';

const OFF = 'rollcall-keys-off';
const PLACES = {
  o: '/t/$slug/overview',
  m: '/t/$slug/members',
  r: '/t/$slug/runs',
  s: '/t/$slug/sources',
  a: '/t/$slug/audit',
  p: '/t/$slug/policy',
} as const;

/** The keys of the whole console. Single letters can be switched off (WCAG 2.1.4), and never act while something is typed. */
export function useKeys(slug: string, open: (what: 'palette' | 'keys') => void) {
  const navigate = useNavigate();
  const before = useRef('');
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        open('palette');
        return;
      }
      const target = event.target as HTMLElement;
      const typing = target.closest('input:not([type=checkbox], [type=radio]), select, textarea, dialog');
      if (typing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem(OFF)) return;
      const place = before.current === 'g' ? PLACES[event.key as keyof typeof PLACES] : undefined;
      before.current = event.key;
      if (place) void navigate({ to: place, params: { slug } });
      else if (event.key === '?') open('keys');
      else if (event.key === '/') {
        event.preventDefault();
        document.querySelector<HTMLElement>('main input[type=search]')?.focus();
      }
    };
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, [slug, navigate, open]);
}

export function KeysHelp({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(!localStorage.getItem(OFF));
  return (
    <Dialog title={w.keys.title} onClose={onClose}>
      <dl className="facts">
        {w.keys.list.map(([key, what]) => (
          <div key={key} style={{ display: 'contents' }}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            setOn(event.target.checked);
            if (event.target.checked) localStorage.removeItem(OFF);
            else localStorage.setItem(OFF, '1');
          }}
        />
        {w.keys.off}
      </label>
      <div>
        <button type="button" className="button" onClick={onClose}>
          {w.close}
        </button>
      </div>
    </Dialog>
  );
}
