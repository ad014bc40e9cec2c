namespace MixedPrecision.Diagnostics;

public enum Severity
{
    Warning,
    Error,
}

/// <summary>One message a user can meet: a code of <see cref="Codes"/>, a place, what was found, what was expected, what to do.</summary>
public sealed record Diagnostic(ErrorCode Code, Severity Severity, Place Place, string Message)
{
    public override string ToString()
    {
        string place = Place.ToString();
        string severity = Severity == Severity.Error ? "error" : "warning";
        return place.Length == 0 ? $"{severity} {Code.Id}: {Message}" : $"{place}: {severity} {Code.Id}: {Message}";
    }
}

/// <summary>An expected failure: something the user can mend. Everything else is a programming error and is thrown as it is.</summary>
public sealed class MixedPrecisionException(Diagnostic diagnostic) : Exception(diagnostic.ToString())
{
    public Diagnostic Diagnostic { get; } = diagnostic;

    public MixedPrecisionException(ErrorCode code, Place place, string message)
        : this(new Diagnostic(code, Severity.Error, place, message))
    {
    }
}
