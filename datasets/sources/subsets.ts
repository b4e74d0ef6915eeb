/** The older data sets that collections are made of, as their pictures' paths tell, and what they are about. */

export interface Subset {
  /** The subset's name as its authors write it. */
  family: string;
  subject: string;
}

/** By the folder's name in lower case, without signs. */
const KNOWN: Readonly<Record<string, [family: string, subject: string]>> = {
  tabmwp: ["TabMWP", "arithmetic"],
  clevrmath: ["CLEVR-Math", "arithmetic"],
  iconqa: ["IconQA", "arithmetic"],
  clevr: ["CLEVR", "counting"],
  clevrv10: ["CLEVR", "counting"],
  superclevr: ["Super-CLEVR", "counting"],
  chartqa: ["ChartQA", "statistics"],
  dvqa: ["DVQA", "statistics"],
  figureqa: ["FigureQA", "statistics"],
  plotqa: ["PlotQA", "statistics"],
  mapqa: ["MapQA", "statistics"],
  docvqa: ["DocVQA", "documents"],
  textvqa: ["TextVQA", "documents"],
  infographicvqa: ["InfographicVQA", "documents"],
  geo3k: ["Geometry3K", "geometry"],
  geometry3k: ["Geometry3K", "geometry"],
  geos: ["GEOS", "geometry"],
  geoqa: ["GeoQA+", "geometry"],
  geoqaplus: ["GeoQA+", "geometry"],
  geomverse: ["GeomVerse", "geometry"],
  unigeo: ["UniGeo", "geometry"],
  ai2d: ["AI2D", "science"],
  sqa: ["ScienceQA", "science"],
  scienceqa: ["ScienceQA", "science"],
  tqa: ["TQA", "science"],
  pmcvqa: ["PMC-VQA", "medicine"],
  vqarad: ["VQA-RAD", "medicine"],
  vqaas: ["VQA-AS", "general"],
  aokvqa: ["A-OKVQA", "general"],
  okvqa: ["A-OKVQA", "general"],
  vqa20: ["VQA2.0", "general"],
  vqav2: ["VQA2.0", "general"],
  vizwiz: ["VizWiz", "general"],
  kvqa: ["KVQA", "general"],
  pisc: ["PISC", "general"],
  coco: ["COCO", "general"],
  gqa: ["GQA", "general"],
};

/**
 * The subset of a picture's path, by the first folder with a known name; else the first folder's own name, about `general`.
 * @param picture a path as the record gives it, or anything else
 */
export function subsetOf(picture: unknown): Subset {
  const folders =
    typeof picture === "string"
      ? picture
          .replace(/^file:\/+/, "")
          .split("/")
          .slice(0, -1)
      : [];
  for (const folder of folders) {
    const key = folder.toLowerCase().replace(/[^a-z0-9]/g, "");
    if (!Object.hasOwn(KNOWN, key)) continue;
    const [family, subject] = KNOWN[key];
    return { family, subject };
  }
  const first = folders.find(
    (folder) => !/^(?:\.{0,2}|images?|data_images|train|test|val)$/.test(folder),
  );
  return { family: first ?? "unnamed", subject: "general" };
}
