//! The `.nd` file of a VisiView or MetaMorph multi-dimensional acquisition: lines of `"Key", value`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::microscopes::well::WellName;

/// Longest file, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// Most stage positions, time points or focal planes.
const MAX_NUMBER: u32 = 1_000_000;
/// Most channels.
const MAX_WAVES: u32 = 99;

static ENTRY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^"([A-Za-z]+[0-9]*)"\s*(?:,\s*(.*))?$"#).expect("the pattern is valid"));
static ROW: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"row:\s*([A-Z]{1,2})\b").expect("valid"));
static COLUMN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"column:\s*([0-9]{1,3})\b").expect("valid"));
static SITE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"site:\s*([0-9]{1,9})\b").expect("valid"));
static WELL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^([A-Z]{1,2})([0-9]{1,2})(?:[ _,:;-].*)?$").expect("valid"));

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NdFile {
    /// The channels, in order; one at least.
    pub waves: Vec<Wave>,
    /// Whether file names hold the names of the channels, not only their numbers.
    pub wave_in_file_name: bool,
    /// The stage positions, in order; empty without `DoStage`.
    pub stages: Vec<Stage>,
    /// Indices of the stage positions by the numbers that file names use: the site numbers, where every position has
    /// its own, else their order.
    numbers: BTreeMap<u32, usize>,
    /// Number of time points; 1 without `DoTimelapse`.
    pub time_points: u32,
    /// Whether the number of time points is stated.
    pub is_time_series: bool,
    /// Number of focal planes, if stated; 1 without `DoZSeries`.
    pub z_steps: Option<u32>,
    /// Distance of focal planes in µm, if stated and there are several.
    pub z_step_um: Option<f64>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Wave {
    /// Its name; empty if it has none.
    pub name: String,
    /// Whether it is taken at every focal plane.
    pub do_z: bool,
}

/// A stage position.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name as written.
    pub name: String,
    /// The well, where the name says it.
    pub well: Option<WellName>,
    /// The number of the site, where the name says it.
    pub site: Option<u32>,
}

impl NdFile {
    /// Read a file.
    ///
    /// Lines may end in LF or CRLF. A line that is no entry belongs to the one before it (descriptions run over
    /// several lines); unknown keys are of no interest.
    ///
    /// # Errors
    /// What is wrong with the file, as the end of a sentence that begins with its name.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("is {} bytes long, at most {MAX_BYTES} are read", bytes.len()));
        }
        let entries = Entries::read(bytes)?;
        let waves = match entries.flag("DoWave", false)? {
            false => vec![Wave { name: String::new(), do_z: true }],
            true => (1..=entries.number_up_to("NWavelengths", MAX_WAVES)?.unwrap_or(1).max(1))
                .map(|number| {
                    let name = entries.text(&format!("WaveName{number}")).unwrap_or_default();
                    Ok(Wave { name, do_z: entries.flag(&format!("WaveDoZ{number}"), true)? })
                })
                .collect::<Result<_, String>>()?,
        };
        let stages: Vec<Stage> = match entries.flag("DoStage", false)? {
            false => Vec::new(),
            true => (1..=entries.number("NStagePositions")?.unwrap_or(1))
                .map(|number| stage(entries.text(&format!("Stage{number}")).unwrap_or_default()))
                .collect(),
        };
        let is_time_series = entries.flag("DoTimelapse", false)?;
        let time_points = entries.number("NTimePoints")?.filter(|_| is_time_series);
        let (z_steps, z_step_um) = match entries.flag("DoZSeries", false)? {
            true => (entries.number("NZSteps")?, entries.length("ZStepSize")),
            false => (Some(1), None),
        };
        Ok(Self {
            waves,
            wave_in_file_name: entries.flag("WaveInFileName", true)?,
            numbers: numbers(&stages),
            stages,
            time_points: time_points.unwrap_or(1).max(1),
            is_time_series,
            z_steps,
            z_step_um,
        })
    }

    /// The stage position that file names call `number`.
    pub fn stage(&self, number: u32) -> Option<&Stage> {
        self.stages.get(*self.numbers.get(&number)?)
    }

    /// The numbers that file names use for stage positions.
    pub fn stage_numbers(&self) -> Vec<u32> {
        self.numbers.keys().copied().collect()
    }
}

/// Indices of stage positions by the numbers of file names.
fn numbers(stages: &[Stage]) -> BTreeMap<u32, usize> {
    let by_site: BTreeMap<u32, usize> =
        stages.iter().enumerate().filter_map(|(index, stage)| Some((stage.site?, index))).collect();
    if by_site.len() == stages.len() { by_site } else { (1_u32..).zip(0..stages.len()).collect() }
}

/// A stage position from its name: `row:B,column:3,site:1`, or a name that begins with a well (`B2`, `B02 left`).
fn stage(name: String) -> Stage {
    let captured = |pattern: &Regex| pattern.captures(&name).map(|found| found[1].to_string());
    let well = |row: &str, column: &str| {
        let column: u32 = column.parse().ok()?;
        format!("{row}{column:02}").parse::<WellName>().ok()
    };
    let by_key = captured(&ROW).zip(captured(&COLUMN)).and_then(|(row, column)| well(&row, &column));
    let by_name = || WELL.captures(&name).and_then(|found| well(&found[1], &found[2]));
    let site = captured(&SITE).and_then(|site| site.parse().ok());
    Stage { well: by_key.or_else(by_name), site, name }
}

/// The lines of a file by key.
struct Entries(BTreeMap<String, String>);

impl Entries {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        // Latin-1 where it is not UTF-8: free text in the language of the microscope's owner.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_string(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let mut entries = BTreeMap::new();
        for line in text.split(['\n', '\r']) {
            let Some(found) = ENTRY.captures(line.trim()) else { continue };
            let value = found.get(2).map_or("", |value| value.as_str()).trim();
            if &found[1] == "EndFile" {
                break;
            }
            entries.entry(found[1].to_string()).or_insert_with(|| value.to_string());
        }
        match entries.get("NDInfoFile") {
            Some(version) if version.starts_with("Version") => Ok(Self(entries)),
            _ => Err("has no line \"NDInfoFile\", Version …: it is no .nd file".to_string()),
        }
    }

    fn text(&self, key: &str) -> Option<String> {
        let value = self.0.get(key)?;
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        Some(inner.trim().to_string())
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, String> {
        match self.0.get(key).map(|value| value.to_ascii_uppercase()).as_deref() {
            None => Ok(default),
            Some("TRUE") => Ok(true),
            Some("FALSE") => Ok(false),
            Some(_) => Err(format!("\"{key}\", {}: wanted TRUE or FALSE", self.0[key])),
        }
    }

    /// A length other than 0, with point or comma; steps downwards are negative. Nothing where it is no number.
    fn length(&self, key: &str) -> Option<f64> {
        let value: f64 = self.text(key)?.replace(',', ".").parse().ok()?;
        Some(value.abs()).filter(|value| value.is_finite() && *value > 0.0)
    }

    fn number(&self, key: &str) -> Result<Option<u32>, String> {
        self.number_up_to(key, MAX_NUMBER)
    }

    fn number_up_to(&self, key: &str, max: u32) -> Result<Option<u32>, String> {
        let parse = |text: String| {
            text.parse::<u32>()
                .ok()
                .filter(|number| *number <= max)
                .ok_or_else(|| format!("\"{key}\", {text}: wanted a whole number of at most {max}"))
        };
        self.text(key).map(parse).transpose()
    }
}
