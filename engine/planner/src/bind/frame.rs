//! Borders of `OVER` frames: DataFusion wants bare numbers there, not literals with a type.

use sqlparser::ast::{
    CastKind, Expr, Function, NamedWindowExpr, SetExpr, WindowFrame, WindowFrameBound, WindowSpec, WindowType,
};

/// Takes the types off the borders of a function's window.
pub(super) fn plain_window(function: &mut Function) {
    if let Some(WindowType::WindowSpec(window)) = &mut function.over {
        plain_frame(window);
    }
}

/// Takes the types off the borders of the windows that `WINDOW` names.
pub(super) fn plain_named_windows(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for definition in &mut select.named_window {
                if let NamedWindowExpr::WindowSpec(window) = &mut definition.1 {
                    plain_frame(window);
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            plain_named_windows(left);
            plain_named_windows(right);
        }
        _ => {}
    }
}

fn plain_frame(window: &mut WindowSpec) {
    let Some(WindowFrame { start_bound, end_bound, .. }) = &mut window.window_frame else { return };
    for bound in [Some(start_bound), end_bound.as_mut()].into_iter().flatten() {
        let (WindowFrameBound::Preceding(Some(border)) | WindowFrameBound::Following(Some(border))) = bound else {
            continue;
        };
        if let Expr::Cast { kind: CastKind::Cast, expr, .. } = border.as_mut()
            && matches!(expr.as_ref(), Expr::Value(_))
        {
            *border = std::mem::replace(expr, Box::new(Expr::Value(sqlparser::ast::Value::Null.into())));
        }
    }
}
