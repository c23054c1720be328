// Files brought to the server: a dropped folder with all below it, sent in parts that a request may have.

import { call } from "./api.js";

const FILES = 50, BYTES = 16e6;

/** Send files ([path, file], ...) into a new folder of the server. */
export async function bring(files, name, told, more = {}) {
  let folder = await call("/makar/v1/folders", { json: { name: name || "data", ...more } });
  let part = [], bytes = 0, done = 0;
  const send = async () => {
    if (!part.length) return;
    const form = new FormData();
    form.append("paths", JSON.stringify(part.map(([path]) => path)));
    for (const [, file] of part) form.append("file", file, "file");
    folder = await call(`/makar/v1/folders/${folder.id}/files`, { form });
    done += part.length;
    told?.(done);
    part = [];
    bytes = 0;
  };
  for (const entry of files) {
    if (part.length >= FILES || bytes + entry[1].size > BYTES) await send();
    part.push(entry);
    bytes += entry[1].size;
  }
  await send();
  return folder;
}

/** What was dropped: [name, [[path, file], ...]], folders with all that is below them. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const isOneFolder = entries.length === 1 && entries[0].isDirectory;
  const found = [];
  const walk = async (entry, path) => {
    if (entry.name.startsWith(".")) return;
    if (entry.isFile) {
      found.push([path, await new Promise((good, bad) => entry.file(good, bad))]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A reader gives a hundred at a time, and nothing once all were given.
      const some = await new Promise((good, bad) => reader.readEntries(good, bad));
      if (!some.length) return;
      for (const one of some) await walk(one, path ? `${path}/${one.name}` : one.name);
    }
  };
  for (const entry of entries) await walk(entry, isOneFolder ? "" : entry.name);
  return [entries[0]?.name.replace(/\.[^.]*$/, "") ?? "data", found];
}
