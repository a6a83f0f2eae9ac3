/** Whether only this machine reaches an address, or a name stands for this machine. */
export function isLoopbackName(host: string): boolean {
  return /^(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3}|localhost)$/i.test(host);
}
