/** The SCIM address of a source. The console is served by the hub, so the hub is where the page came from. */
export const scimAddress = (id: string) => `${location.origin}/scim/v2/${id}`;
