using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Benchmarking;

public class ProcessorTests
{
    [Fact]
    public void AnX64ProcessorIsItsModelNameAndTheSetsKernelsUse()
    {
        (string model, IReadOnlyList<string> sets) = Processor.Read(
            "processor\t: 0\nmodel name\t: Example CPU @ 2.00GHz\nflags\t\t: fpu sse4_1 avx512_vnni avx2 avx512f\n\nprocessor\t: 1\nmodel name\t: Other\nflags\t\t: fpu\n");
        Assert.Equal("Example CPU @ 2.00GHz", model);
        Assert.Equal(["avx2", "avx512_vnni", "avx512f", "sse4_1"], sets);
    }

    [Fact]
    public void AnArmProcessorIsItsNumbers()
    {
        (string model, IReadOnlyList<string> sets) = Processor.Read(
            "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\nCPU implementer\t: 0x41\nCPU variant\t: 0x1\nCPU part\t: 0xd0c\n");
        Assert.Equal("implementer 0x41 part 0xd0c variant 0x1", model);
        Assert.Equal(["asimd", "asimddp", "i8mm"], sets);
    }

    [Theory]
    [InlineData("x64", "avx2 avx512f", false)]
    [InlineData("x64", "avx2 avx512_vnni", true)]
    [InlineData("x64", "avx2 avx_vnni", true)]
    [InlineData("x64", "amx_int8 avx2", true)]
    [InlineData("arm64", "asimd", true)]
    public void ProcessorsOfX64WithoutVnniAddInSixteenBits(string architecture, string sets, bool isExact) =>
        Assert.Equal(isExact, (Machine.Detect(new RuntimePolicy("cpu", 2, Place.None)) with { Architecture = architecture, InstructionSets = sets.Split(' ') }).AddsExactly());

    [Fact]
    public void ThisMachineIsTheSameTwiceAndItsThreadsAreInTheKey()
    {
        var runtime = new RuntimePolicy("cpu", 2, Place.None);
        Machine machine = Machine.Detect(runtime);
        Assert.NotEqual("", machine.Processor);
        Assert.Matches("^[0-9]+\\.[0-9]+\\.[0-9]+", machine.Runtime);
        Assert.Equal(machine.Key().Hex, Machine.Detect(runtime).Key().Hex);
        Assert.NotEqual(machine.Key().Hex, Machine.Detect(runtime with { Threads = 1 }).Key().Hex);
    }
}
