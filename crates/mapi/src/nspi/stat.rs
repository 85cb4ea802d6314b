//! STAT — [MS-OXNSPI] 2.2.8.

use watertight_wire::{wire_nested, wire_struct};

wire_struct! {
    /// STAT — [MS-OXNSPI] 2.2.8: a table of the address book, and a place in it.
    #[derive(Copy, Eq, Default)]
    pub struct Stat {
        /// SortType.
        sort_type: u32,
        /// ContainerID: the Minimal Entry ID of the container; 0 is the global address list.
        container_id: u32,
        /// CurrentRec: a Minimal Entry ID, or a position.
        current_rec: u32,
        /// Delta: rows from there.
        delta: i32,
        /// NumPos: the position as a number of rows.
        num_pos: u32,
        /// TotalRecs: how many rows there are.
        total_recs: u32,
        /// CodePage of strings that are not Unicode.
        code_page: u32,
        /// TemplateLocale.
        template_locale: u32,
        /// SortLocale.
        sort_locale: u32,
    } = 36
}
wire_nested!(Stat);
