// Runs before the styles, so that a chosen theme never flashes. An inline script would be refused by the page's policy.
try {
  const theme = localStorage.getItem('rollcall-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // A browser without storage follows the system.
}
