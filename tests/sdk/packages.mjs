// The official SDKs, which are installed outside the source tree.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

export const load = (name) => import(pathToFileURL(createRequire(process.env.SDK_PACKAGES + "/").resolve(name)).href);
