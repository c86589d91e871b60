import guides from './guides.json';

export type Guide = { key: string; name: string; steps: string[] };

/** The steps at each provider, the same as on the page of a set-up link; a test of the hub compares them. */
export const GUIDES: readonly Guide[] = guides;

export type Piece = { kind: 'text' | 'name'; text: string } | { kind: 'address' | 'flagged' | 'token' };

/** A step in pieces: words, names that the provider's pages show (between stars), and the places of the tenant's values. */
export function pieces(step: string): Piece[] {
  return step.split('*').flatMap((part, number) =>
    part
      .split(/(\{address\}|\{flagged\}|\{token\})/)
      .filter(Boolean)
      .map((text): Piece => {
        if (text === '{address}') return { kind: 'address' };
        if (text === '{flagged}') return { kind: 'flagged' };
        if (text === '{token}') return { kind: 'token' };
        return { kind: number % 2 === 1 ? 'name' : 'text', text };
      }),
  );
}
