import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useDeferredValue, useId, useState } from 'react';
import { hub, read } from '../api/client';
import { sources } from '../api/sources';
import { useSlug } from '../session';
import { w } from '../words';
import { Dialog } from './Dialog';

type Found = { key: string; name: string; kind: string; go: () => void };

/** People, sources, pages: what is typed leads there. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const list = useId();
  const found = useFound(useDeferredValue(typed.trim()), onClose);
  const chosen = found[Math.min(at, found.length - 1)];
  function pressed(event: React.KeyboardEvent) {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setAt((now) => (Math.min(now, found.length - 1) + step + found.length) % Math.max(1, found.length));
    }
    if (event.key === 'Enter') chosen?.go();
  }
  return (
    <Dialog title={w.search} className="palette" onClose={onClose}>
      <div>
        <input
          type="text"
          role="combobox"
          aria-label={w.searchHint}
          placeholder={w.searchHint}
          aria-expanded="true"
          aria-controls={list}
          aria-activedescendant={chosen ? `${list}-${chosen.key}` : undefined}
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            setAt(0);
          }}
          onKeyDown={pressed}
          autoComplete="off"
        />
        <div id={list} role="listbox" className="options" aria-label={w.search}>
          {found.map((one) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the box handles the keys
            // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the box
            <div key={one.key} id={`${list}-${one.key}`} role="option" aria-selected={one === chosen} onClick={one.go}>
              <span>{one.name}</span>
              <span className="muted small">{one.kind}</span>
            </div>
          ))}
        </div>
        {found.length === 0 && <p className="muted">{w.noMatch}</p>}
      </div>
    </Dialog>
  );
}

function useFound(q: string, onClose: () => void): Found[] {
  const slug = useSlug();
  const navigate = useNavigate();
  const words = q.toLowerCase();
  const people = useQuery({
    queryKey: ['members', 'palette', q],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/members', { params: { query: { q, limit: 8 } }, signal })),
    enabled: q.length > 0 && q.split(/\s+/).length <= 8,
  });
  const feeds = useQuery(sources);
  const to = (go: () => unknown) => () => {
    onClose();
    void go();
  };
  const pages = (['overview', 'members', 'why', 'groups', 'runs', 'attention', 'sources', 'policy', 'audit'] as const).map((page) => ({
    key: page,
    name: w.nav[page],
    kind: w.menu,
    go: to(() => navigate({ to: `/t/$slug/${page}`, params: { slug } })),
  }));
  const setUp = { key: 'new', name: w.sources.add, kind: w.menu, go: to(() => navigate({ to: '/t/$slug/sources/new', params: { slug } })) };
  const found = (people.data?.items ?? []).map((one) => ({
    key: one.id,
    name: one.display_name ? `${one.display_name}, ${one.email}` : one.email,
    kind: w.status[one.status],
    go: to(() => navigate({ to: '/t/$slug/members/$id', params: { slug, id: one.id } })),
  }));
  const sourcesFound = (feeds.data?.items ?? []).map((one) => ({
    key: one.id,
    name: one.name || w.sources.unnamed(one.id),
    kind: w.nav.sources,
    go: to(() => navigate({ to: '/t/$slug/sources/$id', params: { slug, id: one.id } })),
  }));
  const ask = {
    key: 'ask',
    name: `${w.members.why.title} ${q}`,
    kind: w.nav.why,
    go: to(() => navigate({ to: '/t/$slug/why', params: { slug }, search: { q } })),
  };
  const named = [...sourcesFound, ...pages, setUp].filter((one) => one.name.toLowerCase().includes(words));
  return q ? [...found, ...named, ask] : [...pages, setUp];
}
