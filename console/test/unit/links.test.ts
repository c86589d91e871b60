import type { LinkProps } from '@tanstack/react-router';
import { expectTypeOf, test } from 'vitest';
import type { router } from '../../src/routes';

// A route that is written inline turns all links to `any`; these two lines would then compile.
type Link = LinkProps<typeof router>;

test('wrong links do not compile', () => {
  expectTypeOf<'/t/$slug/members'>().toExtend<NonNullable<Link['to']>>();
  expectTypeOf<'/t/$slug/nothing'>().not.toExtend<NonNullable<Link['to']>>();
});
