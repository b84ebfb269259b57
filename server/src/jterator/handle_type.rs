//! Types of what modules take and make.

/// The type of an input or output of a module, by its name in handles.
///
/// Some are kinds of others, and what asks for the general one takes the special one:
///
/// ```text
/// Scalar  ⊃ Boolean ⊃ Plot           Image ⊃ IntensityImage
///         ⊃ Numeric                        ⊃ MaskImage ⊃ BinaryImage
///         ⊃ Character                                  ⊃ LabelImage ⊃ SegmentedObjects
/// Sequence ⊃ Set
/// ```
///
/// ```
/// use tm_server::jterator::HandleType;
/// assert!(HandleType::MaskImage.accepts(HandleType::SegmentedObjects));
/// assert!(!HandleType::LabelImage.accepts(HandleType::BinaryImage));
/// assert!(HandleType::MaskImage.is_related_to(HandleType::BinaryImage));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HandleType {
    /// A number, text or truth value.
    Scalar,
    /// True or false.
    Boolean,
    /// A number.
    Numeric,
    /// Text.
    Character,
    /// A list of numbers or texts.
    Sequence,
    /// A list in which nothing comes twice.
    Set,
    /// Whether to draw a figure.
    Plot,
    /// A plane of any kind.
    Image,
    /// A plane of grey values.
    IntensityImage,
    /// A plane of yes and no, or of labels.
    MaskImage,
    /// A plane of labels.
    LabelImage,
    /// A plane of yes and no.
    BinaryImage,
    /// Labelled objects of a type that has a name.
    SegmentedObjects,
    /// Numbers about objects.
    Measurement,
    /// A drawing of what a module did.
    Figure,
}

impl HandleType {
    /// All types.
    pub const ALL: &[Self] = &[
        Self::Scalar,
        Self::Boolean,
        Self::Numeric,
        Self::Character,
        Self::Sequence,
        Self::Set,
        Self::Plot,
        Self::Image,
        Self::IntensityImage,
        Self::MaskImage,
        Self::LabelImage,
        Self::BinaryImage,
        Self::SegmentedObjects,
        Self::Measurement,
        Self::Figure,
    ];

    /// Name in handles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "Scalar",
            Self::Boolean => "Boolean",
            Self::Numeric => "Numeric",
            Self::Character => "Character",
            Self::Sequence => "Sequence",
            Self::Set => "Set",
            Self::Plot => "Plot",
            Self::Image => "Image",
            Self::IntensityImage => "IntensityImage",
            Self::MaskImage => "MaskImage",
            Self::LabelImage => "LabelImage",
            Self::BinaryImage => "BinaryImage",
            Self::SegmentedObjects => "SegmentedObjects",
            Self::Measurement => "Measurement",
            Self::Figure => "Figure",
        }
    }

    /// The type of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The next more general type.
    const fn parent(self) -> Option<Self> {
        match self {
            Self::Boolean | Self::Numeric | Self::Character => Some(Self::Scalar),
            Self::Plot => Some(Self::Boolean),
            Self::Set => Some(Self::Sequence),
            Self::IntensityImage | Self::MaskImage => Some(Self::Image),
            Self::LabelImage | Self::BinaryImage => Some(Self::MaskImage),
            Self::SegmentedObjects => Some(Self::LabelImage),
            Self::Scalar | Self::Sequence | Self::Image | Self::Measurement | Self::Figure => None,
        }
    }

    /// Whether what asks for this type can be given the other.
    pub fn accepts(self, other: Self) -> bool {
        self == other || other.parent().is_some_and(|parent| self.accepts(parent))
    }

    /// Whether one of the two accepts the other.
    pub fn is_related_to(self, other: Self) -> bool {
        self.accepts(other) || other.accepts(self)
    }

    /// Whether it is passed from module to module under a key.
    pub fn is_image(self) -> bool {
        Self::Image.accepts(self)
    }

    /// Whether its value is written down in the handles.
    pub fn is_constant(self) -> bool {
        Self::Scalar.accepts(self) || Self::Sequence.accepts(self)
    }
}

impl std::fmt::Display for HandleType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
