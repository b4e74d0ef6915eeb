/** The thirty subjects of MMMU and MMMU-Pro in their six disciplines. */

const DISCIPLINES: Readonly<Record<string, readonly string[]>> = {
  "Art and Design": ["Art", "Art_Theory", "Design", "Music"],
  Business: ["Accounting", "Economics", "Finance", "Manage", "Marketing"],
  Science: ["Biology", "Chemistry", "Geography", "Math", "Physics"],
  "Health and Medicine": [
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
  ],
  "Humanities and Social Science": ["History", "Literature", "Sociology", "Psychology"],
  "Tech and Engineering": [
    "Agriculture",
    "Architecture_and_Engineering",
    "Computer_Science",
    "Electronics",
    "Energy_and_Power",
    "Materials",
    "Mechanical_Engineering",
  ],
};

/** The discipline of a subject; `other` for one that the benchmark does not know. */
export function disciplineOf(subject: string): string {
  const name = subject.replaceAll(" ", "_");
  return (
    Object.entries(DISCIPLINES).find(([, subjects]) => subjects.includes(name))?.[0] ?? "other"
  );
}
