//! The rectangles of plates and wells.

use tm_engine::image::{Rect, Size};

use super::{MapLayout, PlacedItem, PlateCells, Step, WellCell};

impl MapLayout {
    /// The plates whose places a window of the map touches, each as large as its wells take.
    pub fn plates_in(&self, window: Rect) -> Vec<PlacedItem> {
        let mut found = Vec::new();
        self.visit_plates(window, |plate, origin, _| {
            found.push(PlacedItem { id: plate.id, rect: self.plate_rect(plate, origin) });
        });
        found
    }

    /// The wells whose places a window of the map touches, each as large as its sites take.
    pub fn wells_in(&self, window: Rect) -> Vec<PlacedItem> {
        let mut found = Vec::new();
        self.visit_plates(window, |plate, origin, edges| {
            plate.visit_wells(origin, edges, |well, origin| {
                found.push(PlacedItem { id: well.id, rect: self.well_rect(well, origin) });
            });
        });
        found
    }

    fn plate_rect(&self, plate: &PlateCells, origin: Step) -> Rect {
        let rows = plate.cells.len() / plate.columns;
        // The last cell has no gap after it.
        let (height, width) =
            (rows * plate.pitch.y - self.spacer, plate.columns * plate.pitch.x - self.spacer);
        Rect::new(origin.y, origin.x, Size::new(height, width))
    }

    fn well_rect(&self, well: &WellCell, origin: Step) -> Rect {
        let last =
            |position: fn(&super::SitePosition) -> i64| well.sites.iter().map(position).max().unwrap_or(0);
        let height = last(|site| site.y) as usize * self.step.y + self.site.height;
        let width = last(|site| site.x) as usize * self.step.x + self.site.width;
        Rect::new(origin.y, origin.x, Size::new(height, width))
    }
}
