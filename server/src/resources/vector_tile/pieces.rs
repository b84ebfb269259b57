//! The content of a tile, piece by piece: some objects are fetched, drawn and written at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::vec::IntoIter;

use tm_engine::EngineError;
use tm_engine::geometry::{MapOffset, MapRect, Outline, Polygon};
use tm_engine::image::{Rect, Size};

use super::shape::{Feature, Frame, Position, Shape, polygons};
use super::{VectorFormat, VectorTile, geojson, mvt, queries};
use crate::environment::Environment;
use crate::resources::layer::layout::{PlacedItem, PlacedSite};
use crate::resources::layer::{MapError, MapLayout};
use crate::resources::mapobject::StaticType;
use crate::resources::mapobject::zoom::Shown;
use crate::resources::segmentation::queries::StoredOutline;
use crate::resources::tools::labels::{self, Labels};
use crate::store::StoreError;

/// Objects of a piece, about; more of a site are fetched in turns.
const PIECE: usize = 2000;

/// Makes the pieces of a tile.
pub struct Pieces {
    environment: Environment,
    tile: Arc<VectorTile>,
    state: State,
    writer: Option<Writer>,
}

enum State {
    Start,
    /// The plates, wells or sites that are left, by id of the object.
    Items(IntoIter<(i64, MapRect)>),
    /// The sites that are left, and where to go on in the first one.
    Sites(IntoIter<PlacedSite>, Option<(PlacedSite, i64)>),
    End,
    Over,
}

enum Writer {
    GeoJson(geojson::Writer),
    Mvt(mvt::Writer),
}

/// An object to draw.
struct Object {
    id: i64,
    body: Body,
    label: Option<String>,
}

enum Body {
    /// From the database, in a site at this place.
    Stored(StoredOutline, MapOffset),
    /// A plate, well or site.
    Item(MapRect),
}

impl Writer {
    fn new(tile: &VectorTile, rect: MapRect) -> Self {
        let name = &tile.layer.type_name;
        match tile.key.format {
            VectorFormat::GeoJson => Self::GeoJson(geojson::Writer::new(name)),
            VectorFormat::Mvt => Self::Mvt(mvt::Writer::new(name, rect, tile.result.is_some())),
        }
    }

    fn start(&self) -> Vec<u8> {
        match self {
            Self::GeoJson(_) => geojson::START.into(),
            Self::Mvt(_) => Vec::new(),
        }
    }

    fn write(&mut self, features: &[Feature]) -> Vec<u8> {
        match self {
            Self::GeoJson(writer) => {
                let mut text = String::new();
                features.iter().for_each(|feature| writer.write(&mut text, feature));
                text.into()
            }
            Self::Mvt(writer) => {
                features.iter().for_each(|feature| writer.write(feature));
                Vec::new()
            }
        }
    }

    fn end(self) -> Vec<u8> {
        match self {
            Self::GeoJson(_) => geojson::END.into(),
            Self::Mvt(writer) => writer.finish(),
        }
    }
}

impl Pieces {
    /// The pieces of a tile.
    pub fn new(environment: Environment, tile: VectorTile) -> Self {
        let nowhere = MapRect { x_min: 0, y_min: -1, x_max: 1, y_max: 0 };
        let writer = Writer::new(&tile, tile.rect.unwrap_or(nowhere));
        Self { environment, tile: Arc::new(tile), state: State::Start, writer: Some(writer) }
    }

    /// Bytes that come with the last piece only.
    pub fn held_bytes(&self) -> usize {
        match &self.writer {
            Some(Writer::Mvt(writer)) => writer.len(),
            _ => 0,
        }
    }

    /// The next piece, which may be empty; `None` after the last one.
    ///
    /// # Errors
    /// When the database fails or an outline is damaged.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, MapError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start => {
                self.begin().await?;
                Ok(self.writer.as_ref().map(Writer::start))
            }
            State::Items(mut items) => {
                let next = items.by_ref().take(PIECE);
                let object = |(id, item)| Object { id, body: Body::Item(item), label: None };
                let objects: Vec<_> = next.map(object).collect();
                self.state = if objects.is_empty() { State::End } else { State::Items(items) };
                self.draw(objects).await.map(Some)
            }
            State::Sites(sites, current) => {
                let objects = self.fetch(sites, current).await?;
                self.draw(objects).await.map(Some)
            }
            State::End => Ok(self.writer.take().map(Writer::end)),
            State::Over => Ok(None),
        }
    }

    /// Find out where the objects of the tile are.
    async fn begin(&mut self) -> Result<(), MapError> {
        let tile = Arc::clone(&self.tile);
        let (Some(layout), Some(rect), Some(_)) = (&tile.layout, tile.rect, tile.key.address) else {
            self.state = State::End;
            return Ok(());
        };
        self.state = match StaticType::find(&tile.layer.type_name) {
            // No tool looks at plates, wells and sites: they have no labels.
            Some(_) if tile.result.is_some() => State::End,
            Some(kind) => State::Items(self.items(layout, rect, kind).await?.into_iter()),
            None => State::Sites(layout.sites_in(window(rect)).into_iter(), None),
        };
        Ok(())
    }

    /// The plates, wells or sites of the tile, by id of the object.
    async fn items(
        &self,
        layout: &MapLayout,
        rect: MapRect,
        kind: StaticType,
    ) -> Result<Vec<(i64, MapRect)>, MapError> {
        let window = window(rect);
        let placed = match kind {
            StaticType::Plates => layout.plates_in(window),
            StaticType::Wells => layout.wells_in(window),
            StaticType::Sites => {
                let sites = layout.sites_in(window).into_iter();
                sites.map(|site| PlacedItem { id: site.id, rect: site.rect }).collect()
            }
        };
        let first = placed.iter().map(|item| item.id).min().unwrap_or_default();
        let last = placed.iter().map(|item| item.id).max().unwrap_or_default();
        let mut tx = self.environment.db.read().await?;
        let objects =
            queries::static_objects(&mut tx, self.tile.layer.mapobject_type_id, first, last).await?;
        let objects: HashMap<i64, i64> = objects.into_iter().collect();
        let known = placed.into_iter().filter_map(|item| Some((*objects.get(&item.id)?, item.rect)));
        known.map(|(object, rect)| Ok((object, map_rect_of(rect)?))).collect()
    }

    /// Fetch the next objects.
    async fn fetch(
        &mut self,
        mut sites: IntoIter<PlacedSite>,
        mut current: Option<(PlacedSite, i64)>,
    ) -> Result<Vec<Object>, MapError> {
        let (tile, mut objects) = (Arc::clone(&self.tile), Vec::new());
        let Some(rect) = tile.rect else { return Ok(objects) };
        let mut tx = self.environment.db.read().await?;
        while objects.len() < PIECE {
            let Some((site, after)) = current.take().or_else(|| sites.next().map(|site| (site, 0))) else {
                self.state = State::End;
                return Ok(objects);
            };
            let offset = offset_of(site.rect)?;
            let part = part_of(site.id, after, rect, offset);
            let with_rings = tile.key.shown == Shown::Outlines;
            let wanted = i64::try_from(PIECE).unwrap_or(i64::MAX);
            let found = queries::objects_in(&mut tx, tile.layer.id, part, with_rings, wanted).await?;
            current = found.last().filter(|_| found.len() == PIECE).map(|last| (site, last.object));
            let labels = match &tile.result {
                Some(result) => {
                    Some(labels::of_site(&mut tx, result, site.id, tile.layer.tpoint.unwrap_or(0)).await?)
                }
                None => None,
            };
            objects.extend(found.into_iter().filter_map(|stored| {
                let label = label_of(&tile, labels.as_ref(), stored.object)?;
                Some(Object { id: stored.object, body: Body::Stored(stored, offset), label })
            }));
        }
        self.state = State::Sites(sites, current);
        Ok(objects)
    }

    /// Draw and write objects.
    async fn draw(&mut self, objects: Vec<Object>) -> Result<Vec<u8>, MapError> {
        let (tile, writer) = (Arc::clone(&self.tile), self.writer.take());
        let drawn = self.environment.compute.interactive(move |_| {
            let mut features = Vec::with_capacity(objects.len());
            for object in objects {
                features.extend(feature(&tile, object)?);
            }
            let mut writer = writer;
            let text = writer.as_mut().map_or_else(Vec::new, |writer| writer.write(&features));
            Ok::<_, MapError>((writer, text))
        });
        let (writer, text) = drawn.await??;
        self.writer = writer;
        Ok(text)
    }
}

/// What is drawn of an object; nothing where it does not touch the tile.
fn feature(tile: &VectorTile, object: Object) -> Result<Option<Feature>, MapError> {
    let Some(rect) = tile.rect else { return Ok(None) };
    let Object { id, body, label } = object;
    let (outline, centroid) = match &body {
        Body::Stored(stored, offset) => {
            let centroid = Position {
                x: f64::from(offset.x) + stored.centroid_x,
                y: -(f64::from(offset.y) + stored.centroid_y),
            };
            let outline = stored.packed.as_ref().map(|_| stored.unpack(*offset)).transpose();
            let corrupt = |error| StoreError::Corrupt(format!("object {id} has {error}"));
            (outline.map_err(corrupt)?, centroid)
        }
        Body::Item(item) => {
            let middle = |from: i32, to: i32| f64::midpoint(f64::from(from), f64::from(to));
            let centroid = Position { x: middle(item.x_min, item.x_max), y: middle(item.y_min, item.y_max) };
            let shell = Polygon { shell: item.to_ring(), holes: Vec::new() };
            let outlines = tile.key.shown == Shown::Outlines;
            (outlines.then(|| Outline { label: 0, parts: vec![shell] }), centroid)
        }
    };
    let shape = match outline {
        None => Frame::around(rect, 0.0).contains(centroid).then_some(Shape::Point(centroid)),
        Some(outline) if !outline.intersects(&rect) => None,
        Some(outline) => {
            let side = f64::from(rect.x_max) - f64::from(rect.x_min);
            let frame = tile.key.clip.then(|| Frame::around(rect, side * mvt::BUFFER));
            polygons(&outline, f64::from_bits(tile.key.tolerance), frame)?
        }
    };
    Ok(shape.map(|shape| Feature { object: id, shape, label }))
}

/// The label of an object: `Some(None)` in tiles without labels, `None` for an object that has none and is left out.
fn label_of(tile: &VectorTile, labels: Option<&Labels>, object: i64) -> Option<Option<String>> {
    match (&tile.result, labels) {
        (None, _) => Some(None),
        (Some(result), Some(labels)) => labels.get(object).map(|value| Some(result.label_text(value))),
        (Some(_), None) => None,
    }
}

/// The pixels of the map that a rectangle covers or touches.
fn window(rect: MapRect) -> Rect {
    let pixels = |value: i32| usize::try_from(value).unwrap_or_default();
    let (top, left) = (pixels(-rect.y_max).saturating_sub(1), pixels(rect.x_min).saturating_sub(1));
    let (bottom, right) = (pixels(-rect.y_min) + 1, pixels(rect.x_max) + 1);
    Rect::new(top, left, Size::new(bottom - top, right - left))
}

fn offset_of(rect: Rect) -> Result<MapOffset, MapError> {
    let pixels = |value: usize| {
        i32::try_from(value).map_err(|_| EngineError::Parameter {
            name: "offset",
            problem: format!("of a site is {value}, beyond 32 bits"),
        })
    };
    Ok(MapOffset { y: pixels(rect.y)?, x: pixels(rect.x)? })
}

/// The part of a site that a rectangle of the map touches.
fn part_of(site: i64, after: i64, rect: MapRect, offset: MapOffset) -> queries::SitePart {
    let (y, x) = (i64::from(offset.y), i64::from(offset.x));
    queries::SitePart {
        site,
        after,
        top: -i64::from(rect.y_max) - y,
        bottom: -i64::from(rect.y_min) - y,
        left: i64::from(rect.x_min) - x,
        right: i64::from(rect.x_max) - x,
    }
}

fn map_rect_of(rect: Rect) -> Result<MapRect, MapError> {
    let far = Rect::new(rect.y + rect.size.height, rect.x + rect.size.width, Size::new(0, 0));
    let (near, far) = (offset_of(rect)?, offset_of(far)?);
    Ok(MapRect { x_min: near.x, y_min: -far.y, x_max: far.x, y_max: -near.y })
}
