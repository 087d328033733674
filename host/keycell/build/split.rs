//! Moves the memory of a component into a core module of its own, which is instantiated first.
//!
//! The functions that a guest imports take texts from its memory and return texts into it, so the
//! component needs the guest's memory to make them. The guest, in turn, needs the functions.
//! wit-component breaks this circle with two more modules: a *shim*, whose functions call those of an
//! empty table, and a *fixup*, which fills the table after the guest was instantiated. An instance
//! of each would be made for every call.
//!
//! With the memory in a first module, there is no circle:
//!
//! | | before | after |
//! | --- | --- | --- |
//! | 1 | shim | memory: the memory, its data, and `realloc` |
//! | 2 | | the imported functions, with that memory |
//! | 3 | guest: memory, data, code | guest: code, which imports the memory |
//! | 4 | the imported functions, with the guest's memory | |
//! | 5 | fixup | |
//!
//! Types, imports and exports stay as they are. `realloc` shares the place of the next allocation
//! with the guest's allocator (`component/src/guest/allocator.rs`): both keep it where the heap
//! begins.

use std::cmp::Ordering;

use wasm_encoder::{
    Alias, BlockType, CanonicalFunctionSection, CodeSection, Component, ComponentAliasSection, ComponentSectionId,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, InstanceSection, MemArg,
    MemorySection, MemoryType, Module, ModuleArg, ModuleSection, RawSection, SectionId, TypeSection, ValType,
    reencode::{Error, Reencode, ReencodeComponent, component_utils},
};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ExternalKind, Instance, Operator, Parser, Payload,
};

/// What a component lacks that is not as wit-component makes it.
#[derive(Debug, thiserror::Error)]
#[error("the component has no {0} where wit-component puts it")]
pub struct Missing(&'static str);

type Result<T> = std::result::Result<T, Error<Missing>>;

/// The modules of wit-component, in their order. The memory takes the place of the shim.
const GUEST: u32 = 0;
const SHIM: u32 = 1;
/// The instance of the shim, and then of the memory.
const FIRST_INSTANCE: u32 = 0;

/// The names of the memory, also as a module, and of the function that allocates in it.
const MEMORY: &str = "memory";
const REALLOC: &str = "cabi_realloc";

/// Splits a component of wit-component.
pub fn split(component: &[u8]) -> Result<Vec<u8>> {
    let mut out = Component::new();
    Split::of(component)?.parse_component(&mut out, Parser::new(0), component)?;
    Ok(out.finish())
}

/// The encoder of a split component.
#[derive(Default)]
struct Split<'a> {
    /// The imported functions, and each as a core function.
    imported: Vec<ComponentAlias<'a>>,
    lowered: Vec<CanonicalFunction>,
    /// Whether the instance of the guest has been passed. Those that follow belong to the fixup.
    has_guest: bool,
}

impl<'a> Split<'a> {
    /// Finds the imported functions.
    fn of(component: &'a [u8]) -> Result<Self> {
        let mut split = Self::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentAliasSection(section) if depth == 1 => {
                    for alias in section {
                        split.imported.extend(Some(alias?).filter(is_function));
                    }
                }
                Payload::ComponentCanonicalSection(section) if depth == 1 => {
                    for function in section {
                        split.lowered.extend(Some(function?).filter(is_lowered));
                    }
                }
                _ => {}
            }
        }
        Ok(split)
    }

    fn number_of_imported(&self) -> u32 {
        u32::try_from(self.imported.len()).unwrap_or(u32::MAX)
    }

    /// Adds an instance, and the imported functions after the first.
    fn instance(&mut self, component: &mut Component, instance: Instance<'_>) -> Result<()> {
        let mut instances = InstanceSection::new();
        match &instance {
            Instance::Instantiate { module_index: GUEST, args } => {
                self.has_guest = true;
                let mut args: Vec<_> = args.iter().map(|arg| (arg.name, ModuleArg::Instance(arg.index))).collect();
                args.push((MEMORY, ModuleArg::Instance(FIRST_INSTANCE)));
                instances.instantiate(GUEST, args);
            }
            Instance::FromExports(exports) if self.has_guest => {
                // The fixup has the imported functions under the numbers of the shim.
                let first = self.number_of_imported() + 1;
                let numbers = (0..).map(|number| (number.to_string(), first + number));
                let functions = exports.iter().filter(|export| export.kind == ExternalKind::Func);
                if !functions.map(|export| (export.name.to_owned(), export.index)).eq(numbers.take(self.lowered.len()))
                {
                    return Err(Error::UserError(Missing("imported function")));
                }
            }
            Instance::Instantiate { .. } if self.has_guest => {}
            _ => self.parse_instance(&mut instances, instance.clone())?,
        }
        if !instances.is_empty() {
            component.section(&instances);
        }
        if let Instance::Instantiate { module_index: SHIM, .. } = instance {
            self.import(component)?;
        }
        Ok(())
    }

    /// Adds the memory, `realloc` and the imported functions.
    fn import(&mut self, component: &mut Component) -> Result<()> {
        let mut aliases = ComponentAliasSection::new();
        for (kind, name) in [(ExportKind::Memory, MEMORY), (ExportKind::Func, REALLOC)] {
            aliases.alias(Alias::CoreInstanceExport { instance: FIRST_INSTANCE, kind, name });
        }
        for alias in self.imported.clone() {
            aliases.alias(self.component_alias(alias)?);
        }
        let mut functions = CanonicalFunctionSection::new();
        for function in self.lowered.clone() {
            self.parse_component_canonical(&mut functions, function)?;
        }
        component.section(&aliases).section(&functions);
        Ok(())
    }
}

fn is_function(alias: &ComponentAlias<'_>) -> bool {
    matches!(alias, ComponentAlias::InstanceExport { kind: ComponentExternalKind::Func, .. })
}

fn is_lowered(function: &CanonicalFunction) -> bool {
    matches!(function, CanonicalFunction::Lower { .. })
}

/// Whether an alias has moved or is of the shim.
fn is_gone(alias: &ComponentAlias<'_>) -> bool {
    match alias {
        ComponentAlias::CoreInstanceExport { instance_index, name, .. } => {
            *instance_index == FIRST_INSTANCE || matches!(*name, MEMORY | REALLOC)
        }
        alias => is_function(alias),
    }
}

impl Reencode for Split<'_> {
    type Error = Missing;

    /// The new number of a core function. wit-component has those of the shim first, then `realloc`,
    /// the imported functions, and those of the guest.
    fn function_index(&mut self, function: u32) -> Result<u32> {
        let imported = self.number_of_imported();
        Ok(match function.cmp(&imported) {
            Ordering::Less => function + 1,
            Ordering::Equal => 0,
            Ordering::Greater => function - imported,
        })
    }
}

impl ReencodeComponent for Split<'_> {
    fn parse_component_payload(&mut self, component: &mut Component, payload: Payload<'_>, whole: &[u8]) -> Result<()> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.instance(component, instance?)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                let mut aliases = ComponentAliasSection::new();
                for alias in section {
                    let alias = alias?;
                    if !is_gone(&alias) {
                        aliases.alias(self.component_alias(alias)?);
                    }
                }
                if !aliases.is_empty() {
                    component.section(&aliases);
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                let mut functions = CanonicalFunctionSection::new();
                for function in section {
                    let function = function?;
                    if !is_lowered(&function) {
                        self.parse_component_canonical(&mut functions, function)?;
                    }
                }
                if !functions.is_empty() {
                    component.section(&functions);
                }
            }
            payload => component_utils::parse_component_payload(self, component, payload, whole)?,
        }
        Ok(())
    }

    fn parse_component_submodule(&mut self, component: &mut Component, _: Parser, module: &[u8]) -> Result<()> {
        if let Some(parts) = Parts::of(module, self)? {
            component.section(&ModuleSection(&parts.guest(module, self)?)).section(&ModuleSection(&parts.memory()));
        }
        Ok(())
    }

    /// Copies a component inside of this one, which has no code.
    fn parse_component_subcomponent(
        &mut self,
        component: &mut Component,
        _: Parser,
        data: &[u8],
        _: &[u8],
    ) -> Result<()> {
        component.section(&RawSection { id: ComponentSectionId::Component.into(), data });
        Ok(())
    }
}

/// What moves from the guest's module to that of the memory.
struct Parts<'a> {
    memory: MemoryType,
    data: &'a [u8],
    /// The address of the heap, which begins with the place of the next allocation.
    heap: i32,
}

impl<'a> Parts<'a> {
    /// The parts of a guest; `None` for the shim and the fixup, which have no memory.
    fn of(module: &'a [u8], split: &mut Split<'_>) -> Result<Option<Self>> {
        let (mut memory, mut data, mut globals, mut heap) = (None, &[][..], Vec::new(), None);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::MemorySection(section) => {
                    for ty in section {
                        memory = Some(split.memory_type(ty?)?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        globals.push(global?.init_expr.get_operators_reader().read()?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.name == "__heap_base" {
                            heap = globals.get(export.index as usize).cloned();
                        }
                    }
                }
                Payload::DataSection(section) => data = module.get(section.range()).unwrap_or_default(),
                _ => {}
            }
        }
        let Some(memory) = memory else { return Ok(None) };
        let Some(Operator::I32Const { value: heap }) = heap else { return Err(Error::UserError(Missing("heap"))) };
        Ok(Some(Self { memory, data, heap }))
    }

    /// The guest's module, which imports its memory.
    fn guest(&self, module: &[u8], split: &mut Split<'_>) -> Result<Module> {
        let mut guest = Module::new();
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload?;
            if let Payload::ImportSection(section) = payload {
                let mut imports = ImportSection::new();
                split.parse_import_section(&mut imports, section)?;
                guest.section(imports.import(MEMORY, MEMORY, EntityType::Memory(self.memory)));
            } else if let Some((id, range)) = payload.as_section()
                && ![SectionId::Memory, SectionId::Data].map(u8::from).contains(&id)
            {
                guest.section(&RawSection { id, data: module.get(range).unwrap_or_default() });
            }
        }
        Ok(guest)
    }

    /// The module of the memory, with its data and `realloc`.
    fn memory(&self) -> Module {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        let mut exports = ExportSection::new();
        exports.export(MEMORY, ExportKind::Memory, 0).export(REALLOC, ExportKind::Func, 0);
        module
            .section(&types)
            .section(FunctionSection::new().function(0))
            .section(MemorySection::new().memory(self.memory))
            .section(&exports)
            .section(CodeSection::new().function(&self.realloc()))
            .section(&RawSection { id: SectionId::Data.into(), data: self.data });
        module
    }

    /// `realloc(old, old-size, align, new-size)`, which traps if there is no memory.
    fn realloc(&self) -> Function {
        let [old, old_size, align, new_size, start, end] = [0, 1, 2, 3, 4, 5];
        let next = MemArg { offset: 0, align: 2, memory_index: 0 };
        let mut function = Function::new([(2, ValType::I32)]);
        // A block that does not grow stays where it is.
        function.instructions().local_get(old_size).if_(BlockType::Empty);
        function.instructions().local_get(new_size).local_get(old_size).i32_le_u().if_(BlockType::Empty);
        function.instructions().local_get(old).return_().end().end();
        // The next place is behind itself at first. The start is aligned.
        function.instructions().i32_const(self.heap).i32_load(next).local_tee(start);
        function.instructions().i32_const(self.heap + 4).local_get(start).select();
        function.instructions().local_get(align).i32_add().i32_const(1).i32_sub();
        function.instructions().i32_const(0).local_get(align).i32_sub().i32_and().local_tee(start);
        function.instructions().local_get(new_size).i32_add().local_tee(end);
        function.instructions().local_get(start).i32_lt_u().if_(BlockType::Empty).unreachable().end();
        // The memory grows by whole pages of 64 KiB.
        function.instructions().local_get(end).memory_size(0).i32_const(16).i32_shl().i32_gt_u();
        function.instructions().if_(BlockType::Empty);
        function.instructions().local_get(end).memory_size(0).i32_const(16).i32_shl().i32_sub();
        function.instructions().i32_const(0xffff).i32_add().i32_const(16).i32_shr_u().memory_grow(0);
        function.instructions().i32_const(-1).i32_eq().if_(BlockType::Empty).unreachable().end().end();
        function.instructions().i32_const(self.heap).local_get(end).i32_store(next);
        function.instructions().local_get(old_size).if_(BlockType::Empty);
        function.instructions().local_get(start).local_get(old).local_get(old_size).memory_copy(0, 0).end();
        function.instructions().local_get(start).end();
        function
    }
}
