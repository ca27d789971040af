// What of an update file has to be looked at before anything is written: header and metadata.
// The same as src/update/bundle: magic, u32 length (big-endian), SHA-256, that much metadata.

export const HEADER_BYTES = 52;
const LENGTH_AT = 16;
/** BUNDLE_METADATA_BYTES_MAX: longer ones are refused, whatever they are. */
export const METADATA_BYTES_MAX = 4 * 1024 * 1024;

/** The part of `file` before its payload. Of what is no update file, enough to be told so. */
export async function beginning(file: Blob): Promise<Blob> {
  const header = await file.slice(0, HEADER_BYTES).arrayBuffer();
  if (header.byteLength < HEADER_BYTES) return file.slice(0, header.byteLength);
  const length = new DataView(header).getUint32(LENGTH_AT);
  return file.slice(0, HEADER_BYTES + (length > METADATA_BYTES_MAX ? 0 : length));
}
