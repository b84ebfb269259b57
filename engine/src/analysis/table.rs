//! What measurements come as: one row per object, one named column per feature.

/// One feature of every object.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, as `Morphology_Area`.
    pub name: String,
    /// Its value for each object; NaN where it is undefined.
    pub values: Vec<f64>,
    /// Whether it counts pixels or objects: an object that is not there has 0 of them, where any other feature is
    /// NaN.
    pub is_count: bool,
}

/// Features of the objects of a label image: rows by ascending label, columns in the order of their definition.
///
/// ```
/// use tm_engine::analysis::Measurements;
/// let mut table = Measurements::of(vec![2, 5]);
/// table.push("Morphology_Extent", vec![0.5, 1.0]);
/// table.push_count("Morphology_Area", vec![8.0, 9.0]);
/// let wanted = table.for_labels(&[1, 5]);
/// assert!(wanted.values("Morphology_Extent").is_some_and(|values| values[0].is_nan()));
/// assert_eq!(wanted.values("Morphology_Area"), Some(&[0.0, 9.0][..]));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurements {
    /// Labels of the objects, ascending.
    pub labels: Vec<i32>,
    /// The features; each has as many values as there are labels.
    pub columns: Vec<Column>,
}

impl Measurements {
    /// A table of objects without columns. Labels ascend.
    pub fn of(labels: Vec<i32>) -> Self {
        Self { labels, columns: Vec::new() }
    }

    /// Adds a feature at the right.
    pub fn push(&mut self, name: impl Into<String>, values: Vec<f64>) {
        self.columns.push(Column { name: name.into(), values, is_count: false });
    }

    /// Adds a feature that counts pixels or objects at the right.
    pub fn push_count(&mut self, name: impl Into<String>, values: Vec<f64>) {
        self.columns.push(Column { name: name.into(), values, is_count: true });
    }

    /// Adds features from their values by object.
    pub(super) fn push_rows(&mut self, names: &[impl AsRef<str>], rows: &[impl AsRef<[f64]>]) {
        for (index, name) in names.iter().enumerate() {
            self.push(name.as_ref(), rows.iter().map(|row| row.as_ref()[index]).collect());
        }
    }

    /// The values of the feature of this name, if there is one.
    pub fn values(&self, name: &str) -> Option<&[f64]> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.values.as_slice())
    }

    /// The rows of these labels, in this order. A label that the table lacks gets NaN, and 0 where the feature is
    /// a count.
    #[must_use]
    pub fn for_labels(&self, labels: &[i32]) -> Self {
        let rows: Vec<Option<usize>> =
            labels.iter().map(|label| self.labels.binary_search(label).ok()).collect();
        let columns = self.columns.iter().map(|column| {
            let absent = if column.is_count { 0.0 } else { f64::NAN };
            let values = rows.iter().map(|row| row.map_or(absent, |row| column.values[row])).collect();
            Column { name: column.name.clone(), values, is_count: column.is_count }
        });
        Self { labels: labels.to_vec(), columns: columns.collect() }
    }
}
