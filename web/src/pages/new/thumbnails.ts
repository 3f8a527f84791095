// Small pictures of an upload, in one image.
import { api, ApiProblem, connection, type Schemas } from '../../api';

export type Sheet = Schemas['ThumbnailsShape'];

/** How they lie in their image; null where there is no picture. They are made when first asked for. */
export async function thumbnails(upload: string, signal: AbortSignal): Promise<Sheet | null> {
  for (let tries = 0; tries < 40; tries++) {
    const found: Sheet | Schemas['UnfinishedShape'] = await api.get('/api/v1/uploads/{upload}/thumbnails', {
      path: { upload },
      query: { wait: 15 },
      signal,
    });
    if (!('state' in found)) return found.count ? found : null;
    await connection.pause(found.retry_after * 1000, signal);
  }
  throw new ApiProblem(0, 'unavailable', 'The pictures are not made in time.');
}

/** Where one picture lies, as percentages for `background-position` and `background-size`. */
export function cell(sheet: Sheet, index: number): { position: string; size: string } {
  const rows = Math.ceil(sheet.count / sheet.columns);
  const across = sheet.columns > 1 ? ((index % sheet.columns) / (sheet.columns - 1)) * 100 : 0;
  const down = rows > 1 ? (Math.floor(index / sheet.columns) / (rows - 1)) * 100 : 0;
  return { position: `${across}% ${down}%`, size: `${sheet.columns * 100}% ${rows * 100}%` };
}
